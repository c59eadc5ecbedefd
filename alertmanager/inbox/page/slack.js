// Draws a Slack payload as Slack's client does. Every text becomes a text node and only http(s) addresses become
// links, so nothing in a message is ever parsed as HTML.

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function link(address, className, ...children) {
  if (!/^https?:\/\//i.test(String(address ?? ""))) return element("span", className, ...children);
  const made = element("a", className, ...children);
  made.href = address;
  made.target = "_blank";
  made.rel = "noopener noreferrer";
  return made;
}

export function clock(unixSeconds) {
  const made = element("time", "", new Date(unixSeconds * 1000).toLocaleTimeString());
  made.title = new Date(unixSeconds * 1000).toISOString();
  return made;
}

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

function ago(unixSeconds) {
  const seconds = Math.max(0, Date.now() / 1000 - unixSeconds);
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, size]) => seconds >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en").format(-Math.floor(seconds / size), unit);
}

// Slack's date tokens that our messages use; any other format shows the fallback.
function date(unixSeconds, format, fallback) {
  const moment = new Date(unixSeconds * 1000);
  if (format === "{ago}") {
    const made = element("time", "", ago(unixSeconds));
    made.dataset.since = unixSeconds;
    made.title = moment.toISOString();
    return made;
  }
  if (format === "{date_short_pretty}") {
    return moment.toDateString() === new Date().toDateString()
      ? "today"
      : moment.toLocaleDateString("en", { month: "short", day: "numeric", year: "numeric" });
  }
  return fallback;
}

export function refreshAges() {
  for (const each of document.querySelectorAll("time[data-since]")) each.textContent = ago(Number(each.dataset.since));
}

// What stands between < and >: a link, a date, or a mention.
function angle(content) {
  const [target, label] = [content.split("|", 1)[0], content.includes("|") ? content.slice(content.indexOf("|") + 1) : ""];
  if (target.startsWith("!date^")) {
    const [, seconds, format] = target.split("^");
    return date(Number(seconds), format, unescape(label));
  }
  if (/^[!@#]/.test(target)) return element("span", "mention", unescape(label || target.replace(/^[!@]/, "@")));
  return link(unescape(target), "", unescape(label || target));
}

const STYLES = { "*": "b", _: "i", "~": "s" };
const TOKEN = /```([\s\S]+?)```|`([^`\n]+)`|<([^<>\n]+)>|(?<![\w*_~])([*_~])(\S|\S[^\n]*?\S)\4(?![\w*_~])/;

// mrkdwn as nodes: code, links, dates, mentions, bold, italic, struck.
export function mrkdwn(text) {
  const nodes = [];
  let rest = String(text ?? "");
  for (let found = TOKEN.exec(rest); found; found = TOKEN.exec(rest)) {
    nodes.push(unescape(rest.slice(0, found.index)));
    const [whole, block, code, angled, mark, inner] = found;
    if (block !== undefined) nodes.push(element("pre", "", unescape(block)));
    else if (code !== undefined) nodes.push(element("code", "", unescape(code)));
    else if (angled !== undefined) nodes.push(angle(angled));
    else nodes.push(element(STYLES[mark], "", ...mrkdwn(inner)));
    rest = rest.slice(found.index + whole.length);
  }
  nodes.push(unescape(rest));
  return nodes;
}

const COLORS = { good: "#2eb67d", warning: "#e8a200", danger: "#d00000" };

function attachment(one) {
  const made = element("div", "attachment");
  const color = COLORS[one.color] ?? (/^#[0-9a-f]{3,8}$/i.test(one.color ?? "") ? one.color : "");
  if (color) made.style.borderLeftColor = color;
  if (one.title) made.append(element("div", "title", link(one.title_link, "", unescape(one.title))));
  if (one.text) made.append(element("div", "words", ...mrkdwn(one.text)));
  if (one.fields?.length) made.append(element("div", "fields", ...one.fields.map(field)));
  if (one.actions?.length) made.append(element("div", "buttons", ...one.actions.map(button)));
  if (one.footer) made.append(element("div", "footer", unescape(one.footer)));
  return one.pretext ? element("div", "", element("div", "words", ...mrkdwn(one.pretext)), made) : made;
}

function field(one) {
  return element("div", one.short ? "" : "long", element("b", "", unescape(String(one.title ?? ""))), element("span", "words", ...mrkdwn(one.value)));
}

function button(one) {
  return link(one.url, "", unescape(String(one.text ?? "")));
}

export function post(message) {
  const payload = JSON.parse(message.raw);
  const by = element("div", "by", element("b", "", String(payload.username || "Alertmanager")), element("span", "app", "APP"), clock(message.received_at));
  const body = element("div", "", by);
  if (payload.text) body.append(element("div", "words", ...mrkdwn(payload.text)));
  body.append(...(payload.attachments ?? []).map(attachment));
  const face = element("div", "face", "A");
  face.setAttribute("aria-hidden", "true");
  return element("article", "post", face, body);
}
