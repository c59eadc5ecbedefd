"""The stack's own Grafana finds the committed boards, in the folder that a push would use."""

from pathlib import Path

import yaml

from dashboards.publish import FOLDER_TITLE, FOLDER_UID

COMPOSE = Path(__file__).parents[2] / "compose"
PROVISIONING = COMPOSE / "grafana/provisioning"


def provider():
    [found] = yaml.safe_load((PROVISIONING / "dashboards/inferwatch.yaml").read_text())["providers"]
    return found


def test_boards_are_read_from_where_they_are_mounted_read_only():
    grafana = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]["grafana"]
    mounts = [mount for mount in grafana["volumes"] if isinstance(mount, dict)]
    [boards] = [mount for mount in mounts if mount["target"] == provider()["options"]["path"]]

    assert (COMPOSE / boards["source"]).resolve() == COMPOSE.parent / "dashboards/generated"
    assert boards["read_only"]
    # Grafana reads whatever lies below its provisioning folder as provisioning.
    assert not boards["target"].startswith("/etc/grafana/provisioning")


def test_boards_lie_in_the_folder_that_a_push_uses_and_cannot_be_changed_in_grafana():
    assert (provider()["folder"], provider()["folderUid"]) == (FOLDER_TITLE, FOLDER_UID)
    assert provider()["type"] == "file"
    assert not provider()["allowUiUpdates"]


def test_exemplars_of_the_boards_data_source_lead_to_tempo():
    sources = {
        source["uid"]: source
        for source in yaml.safe_load((PROVISIONING / "datasources/inferwatch.yaml").read_text())["datasources"]
    }
    assert sources["prometheus"]["isDefault"]
    [way] = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (way["name"], way["datasourceUid"]) == ("trace_id", "tempo")
    assert sources["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "loki"
