"""`python prepare.py COMMAND...`: run a command with a Docker engine that has every image, or say why there is none.

Where an engine runs and can pull, nothing is prepared. Elsewhere, as root on Debian, an engine of our own is started,
and images that cannot be pulled are made from Debian's packages under the names that the files ask for: stand-ins,
which exist in that engine alone. What there is no package of (Grafana, Tempo, Loki, the collector) is left out, loudly.
"""

import contextlib
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "inferwatch-containers"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
BRIDGE = "172.17.0.1"
"""Where a container of Docker's default network finds this machine."""
TORCH_PORT = 18765
"""Always the same, since a build argument is part of what Docker's cache goes by."""
BASE_PACKAGES = "python3.11-minimal,libpython3.11-stdlib,python3-pip,python3-venv,ca-certificates"
NEWER, COMPOSE = "sid", "trixie"
"""Suites: of the newest packages of what watches, and of the oldest Compose that the files promise to run on."""
LEFT_OUT = "grafana,tempo,loki,otel-collector"
PREPARED = "INFERWATCH_CONTAINERS"
"""What the tests ask: `images` or `stand-ins`."""


class NoEngineError(RuntimeError):
    """There is no Docker engine, nor can one be started; the message says why."""


def run(*command: str | Path, **options: object) -> str:
    """Output of a command; its words are shown where it fails."""
    ran = subprocess.run(command, text=True, capture_output=True, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    if ran.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{(ran.stdout + ran.stderr)[-3000:]}")
    return str(ran.stdout)


def works(*command: str) -> bool:
    """Whether a command ends well within 20 seconds."""
    try:
        return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextlib.contextmanager
def engine() -> Iterator[bool]:
    """An engine in DOCKER_HOST; gives whether it is one of ours, which is ended afterwards."""
    if works("docker", "info"):
        yield False
        return
    missing = [
        name for name in ("dockerd", "containerd", "iptables", "debootstrap", "docker") if not shutil.which(name)
    ]
    if missing:
        raise NoEngineError(
            f"none runs, and {', '.join(missing)} are missing (Debian: docker.io, iptables, debootstrap)"
        )
    if os.geteuid():
        raise NoEngineError("none runs, and only root can start one")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="inferwatch-engine-") as scratch, Path(scratch, "log").open("w") as log:
        os.environ["DOCKER_HOST"] = f"unix://{scratch}/docker.sock"
        places = {"data-root": CACHE / "data", "exec-root": Path(scratch, "exec"), "pidfile": Path(scratch, "pid")}
        flags = [f"--{name}={path}" for name, path in places.items()]
        # Mounts of its own, shared as an init system would have them: node-exporter's view of the disks asks for it.
        command = ["unshare", "--mount", "--propagation", "shared", "dockerd", "-H", os.environ["DOCKER_HOST"], *flags]
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not works("docker", "info"):
                if daemon.poll() is not None or time.monotonic() > deadline:
                    tail = Path(scratch, "log").read_text()[-800:]
                    raise NoEngineError(f"none runs, and dockerd does not start here:\n{tail}")
                time.sleep(0.5)
            yield True
        finally:
            daemon.terminate()
            daemon.wait(60)


def apt(scratch: Path, suite: str, *arguments: str) -> None:
    """apt-get over one suite alone, with lists of its own; the mirror is this machine's."""
    lists, cache = scratch / "lists", scratch / "cache"
    fresh = not lists.exists()
    for folder in (lists / "partial", cache / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (scratch / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror()} {suite} main\n")
    options = {
        "APT::Sandbox::User": "root",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": lists,
        "Dir::Cache": cache,
        "Acquire::Languages": "none",
    }
    command = ["apt-get", "-qq", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    if fresh:
        run(*command, "update", cwd=scratch)
    run(*command, *arguments, cwd=scratch)


@functools.cache
def mirror() -> str:
    """Where this machine gets its own Debian packages from."""
    release = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    lines = run("apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", "Created-By: Packages").splitlines()
    sites = [site for suite, site in map(str.split, lines) if release and suite == release[1]]
    if not sites:
        raise RuntimeError("apt names no mirror of this machine's release; stand-ins are made on Debian only")
    return sites[0]


def unpack(suite: str, *packages: str) -> Path:
    """Packages of a suite, without what they depend on, unpacked into a folder that is kept."""
    folder = CACHE / suite
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        if not list(folder.glob(f"{package}_*.deb")):
            apt(folder, suite, "download", package)
            run("dpkg", "-x", *folder.glob(f"{package}_*.deb"), folder / "x")
    return folder / "x"


def compose() -> None:
    """Give the docker command its `compose` and `buildx`, which Debian 12 has no package of."""
    if works("docker", "compose", "version") and works("docker", "buildx", "version"):
        return
    plugins = unpack(COMPOSE, "docker-compose", "docker-buildx") / "usr" / "libexec" / "docker" / "cli-plugins"
    config = CACHE / "config"
    shutil.copytree(plugins, config / "cli-plugins", dirs_exist_ok=True)
    os.environ["DOCKER_CONFIG"] = str(config)


def images() -> dict[str, str]:
    """Every image that the files name and do not build, with its name."""
    text = (ROOT / "compose" / "compose.yaml").read_text()
    found = re.findall(r"^\s+image: ([\w./-]+?):(\S+)$", text, re.MULTILINE)
    found += re.findall(
        r"^ARG PYTHON_IMAGE=(\w+):(\S+)$", (ROOT / "inference" / "Dockerfile").read_text(), re.MULTILINE
    )
    return {name: f"{name}:{tag}" for name, tag in found}


def have(image: str) -> bool:
    """Whether the engine has an image."""
    return works("docker", "image", "inspect", image)


def pulls(image: str) -> bool:
    """Whether images can be had from where they are published; a stand-in of an earlier run is none."""
    return works("docker", "pull", "--quiet", image)


def import_image(folder: Path, name: str, *changes: str) -> None:
    """A folder as an image of one layer."""
    tar = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
    words = [word for change in changes for word in ("--change", change)]
    subprocess.run(["docker", "import", *words, "-", name], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
    if tar.wait():
        raise RuntimeError(f"cannot pack {folder}")


def python_image(name: str) -> None:
    """Debian 12 with its own Python, and with this machine's way to package indexes."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch, "root")
        run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", root, mirror())
        (root / "usr" / "bin" / "python").symlink_to("python3")
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            shutil.copy(authorities, root / "etc" / "ssl" / "certs")
        (root / "etc" / "pip.conf").write_text(f"[global]\ncert = {authorities}\ntrusted-host = {BRIDGE}\n")
        for left_over in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / left_over)
        import_image(root, name, 'CMD ["python3"]')


def program_image(name: str, programs: dict[str, str], data: str, entrypoint: str, *packages: str) -> None:
    """Programs of Debian's packages with busybox and the C library, laid out as upstream's image."""
    found = unpack(NEWER, *packages)
    busybox = unpack("bookworm", "busybox-static") / "bin" / "busybox"
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch, "root")
        for folder in ("bin", "etc", "tmp", "proc", "sys", "dev", data.lstrip("/") or "tmp"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for debian, upstream in programs.items():
            shutil.copy(found / "usr" / "bin" / debian, root / "bin" / upstream)
        shutil.copy(busybox, root / "bin" / "busybox")
        for applet in ("sh", "wget", "cat", "ls", "id", "touch"):
            (root / "bin" / applet).symlink_to("busybox")
        for library in ("/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
        if (share := found / "usr" / "share" / "prometheus").exists():
            shutil.copytree(share, root / "usr" / "share" / "prometheus", symlinks=True)
        (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        (root / "tmp").chmod(0o1777)
        os.chown(root / data.lstrip("/"), 65534, 65534)
        import_image(root, name, "USER nobody", f'ENTRYPOINT ["/bin/{entrypoint}"]', "ENV PATH=/bin")


def stand_ins(wanted: dict[str, str]) -> None:
    """Make what is missing and can be made."""
    makers = {
        "python": lambda name: python_image(name),
        "prom/prometheus": lambda name: program_image(
            name,
            {"prometheus": "prometheus", "promtool": "promtool"},
            "/prometheus",
            "prometheus",
            "prometheus",
            "promtool",
        ),
        "prom/alertmanager": lambda name: program_image(
            name,
            {"prometheus-alertmanager": "alertmanager", "amtool": "amtool"},
            "/alertmanager",
            "alertmanager",
            "prometheus-alertmanager",
        ),
        "prom/node-exporter": lambda name: program_image(
            name, {"prometheus-node-exporter": "node_exporter"}, "/tmp", "node_exporter", "prometheus-node-exporter"
        ),
    }
    for name, make in makers.items():
        if not have(wanted[name]):
            print(f"prepare: making a stand-in for {wanted[name]}", flush=True)
            make(wanted[name])


@contextlib.contextmanager
def torch_index() -> Iterator[None]:
    """Serve the torch that pip is configured to find on this machine's disk, if it is, to builds."""
    places = f"{os.environ.get('PIP_FIND_LINKS', '')} {run(sys.executable, '-m', 'pip', 'config', 'list')}"
    wheels = {
        wheel.name: wheel for place in re.findall(r"/[\w./-]+", places) for wheel in Path(place).glob("torch-*.whl")
    }
    if not wheels or "TORCH_INDEX_URL" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as index:
        (Path(index) / "torch").mkdir()
        for name, wheel in wheels.items():
            (Path(index) / "torch" / name).symlink_to(wheel)
        handler = functools.partial(_Quiet, directory=index)
        with http.server.ThreadingHTTPServer((BRIDGE, TORCH_PORT), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            os.environ["TORCH_INDEX_URL"] = f"http://{BRIDGE}:{TORCH_PORT}/"
            yield
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> int:
    """The command's status; 3 where there is no engine, or 0 where INFERWATCH_ENGINE says that it is optional."""
    try:
        with engine() as ours:
            compose()
            wanted = images()
            os.environ[PREPARED] = "images"
            if pulls(wanted["prom/prometheus"]):
                return subprocess.run(sys.argv[1:], check=False).returncode
            if not ours:
                raise NoEngineError("one runs that cannot pull images; stand-ins would stay in it")
            print(f"prepare: NO IMAGE CAN BE PULLED: {LEFT_OUT} are left out, stand-ins take the others' places")
            stand_ins(wanted)
            os.environ[PREPARED] = "stand-ins"
            with torch_index():
                return subprocess.run(sys.argv[1:], check=False).returncode
    except NoEngineError as error:
        line = "!" * 78
        print(f"{line}\nNOTHING RAN IN CONTAINERS: there is no Docker engine: {error}\n{line}", file=sys.stderr)
        return 0 if os.environ.get("INFERWATCH_ENGINE") == "optional" else 3


if __name__ == "__main__":
    sys.exit(main())
