// Asks for new messages every second or two and adds what is new on top; what is on the page already stays as it is.

import { clock, element, post, refreshAges } from "/page/slack.js";

const POLL_MS = 1500;
const SHOWN = 100; // newest messages on the page; all of them are in /api/messages

const drawn = new Map();
let version = null;

function header(source, name) {
  const head = source.split(/\r?\n\r?\n/, 1)[0];
  return new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(head)?.[1] ?? "";
}

// A mail's HTML in a frame that may not run scripts, submit forms or reach out; same origin only to measure its height.
function frame(html) {
  const made = element("iframe");
  made.setAttribute("sandbox", "allow-same-origin allow-popups allow-popups-to-escape-sandbox");
  made.title = "Mail";
  made.srcdoc = `<base target="_blank">${html}`;
  made.addEventListener("load", () => {
    const height = made.contentDocument?.documentElement.scrollHeight;
    if (height) made.style.height = `${Math.min(height, 2000)}px`;
  });
  return made;
}

function part(name, text) {
  return element("details", "", element("summary", "", name), element("pre", "", text));
}

function mail(message) {
  const tone = message.title.startsWith("[TICKET]") ? "ticket" : (message.status ?? "");
  const summary = element(
    "summary", "",
    element("span", "subject", message.title || "(no subject)"),
    clock(message.received_at),
    element("span", "people", `${header(message.raw, "From")} to ${header(message.raw, "To")}`),
  );
  const made = element("details", `mail ${tone}`, summary);
  made.addEventListener("toggle", () => {
    if (!made.open || made.childElementCount > 1) return;
    made.append(message.html ? frame(message.html) : element("pre", "", message.text));
    made.append(element("div", "parts", part("Plain text part", message.text), part("Source", message.raw)));
  });
  return made;
}

function unreadable(message) {
  return element("article", "post", element("pre", "", message.raw));
}

function draw(message) {
  try {
    return message.channel === "slack" ? post(message) : mail(message);
  } catch (error) {
    console.error(error);
    return unreadable(message);
  }
}

function show(messages) {
  const wanted = new Set(messages.map((message) => message.id));
  for (const [id, node] of drawn) {
    if (wanted.has(id)) continue;
    node.remove();
    drawn.delete(id);
  }
  for (const message of messages.filter((message) => !drawn.has(message.id))) {
    const node = draw(message);
    drawn.set(message.id, node);
    document.querySelector(`#${message.channel} .list`).prepend(node);
  }
  for (const channel of ["slack", "email"]) {
    const list = document.querySelector(`#${channel} .list`);
    document.getElementById(`${channel}-count`).textContent = list.childElementCount;
    document.querySelector(`#${channel} .empty`).hidden = list.childElementCount > 0;
  }
  const newest = document.querySelector("#email .list > details");
  if (newest) newest.open = true;
  document.title = messages.length ? `(${messages.length}) Inferwatch inbox` : "Inferwatch inbox";
}

function live(state, text) {
  const element = document.getElementById("live");
  element.className = state;
  if (element.textContent !== text) element.textContent = text;
}

async function poll() {
  try {
    const response = await fetch(`/api/messages?limit=${SHOWN}`);
    if (!response.ok) throw new Error(`status ${response.status}`);
    if (response.headers.get("ETag") !== version) {
      show(await response.json());
      version = response.headers.get("ETag");
    }
    live("ok", "live");
  } catch {
    live("lost", "inbox not reachable");
  }
  refreshAges();
  setTimeout(poll, POLL_MS);
}

document.getElementById("clear").addEventListener("click", () => fetch("/api/messages", { method: "DELETE" }));
for (const tab of document.querySelectorAll("nav button")) {
  tab.addEventListener("click", () => {
    document.querySelector("main").dataset.shown = tab.dataset.show;
    for (const each of document.querySelectorAll("nav button")) each.setAttribute("aria-pressed", String(each === tab));
  });
}
poll();
