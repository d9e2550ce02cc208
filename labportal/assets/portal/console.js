// The console: one connection by noVNC, and in words how it is. Sentences come from the page, so they are translated.
import RFB from "../vendor/novnc-1.7.0-1/core/rfb.js";
import { warn } from "./console-banner.js";
import * as clock from "./console-clock.js";
import * as input from "./console-input.js";
import * as pasting from "./console-paste.js";
import * as talk from "./console-talk.js";

const PAUSES = [1000, 3000, 8000]; // milliseconds before each try to connect again
const SLOWLY = 30_000; // between tries when those failed
// Why the portal took the console away, by what it ended with: said at once, and not tried again by itself.
const TAKEN = { 4401: "ended", 4404: "gone", 4410: "withdrawn", 4411: "closedForYou", 4412: "clusterOff", 4413: "replaced" };
const SHOWN = { ended: "ended", closedForYou: "closed" }; // the others: refused
const STEADY = 10_000; // a connection that lasted this long has all tries again when it is lost
const POLL = 5000;
const WAITING = 2000; // while the machine is about to run

const at = (id) => document.getElementById(id);
// What says the same again is not read out again.
const put = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };
const page = document.body.dataset;
const say = at("screen").dataset;
const coarse = matchMedia("(pointer: coarse)").matches;

let link = null; // noVNC's, from the first moment of a connection to its last
let since = 0; // when it was connected
let had = false; // whether it ever was
let tries = 0;
let retry = 0;
let overdue = false; // a slow try whose time came while nobody looked
let attempt = 0; // counts clicks and tries: what answers an earlier one is for nobody
let running = page.state === "connecting";
let mode = page.mode;

function show(state, sentence = "", word = "") {
  page.state = state;
  const connected = state === "connected";
  const barred = [say.gone, say.withdrawn].includes(sentence); // connecting again would be refused
  put("word", word || say[`word${state[0].toUpperCase()}${state.slice(1)}`]);
  put("sentence", connected ? "" : sentence || say[state]);
  at("panel").hidden = connected;
  at("clock").hidden = state !== "waiting";
  at("again").hidden = barred || document.body.dataset.barred === "yes" || !["lost", "refused", "closed"].includes(state);
  at("login").hidden = state !== "ended";
  at("machine").hidden = barred;
  at("machines").hidden = !barred;
  if (state !== "off") at("start").hidden = true;
  at("hint").hidden = !(connected && mode === "control") || coarse;
  at("link").textContent = at("link").dataset[connected || state === "connecting" ? "disconnect" : "connect"];
  at("link").disabled = barred || ["off", "waiting", "ended"].includes(state);
  for (const tool of document.querySelectorAll("[data-needs]")) {
    tool.disabled = !connected || (tool.dataset.needs === "control" && mode !== "control");
  }
  if (connected) return;
  put("standstill-words", "");
  at("standstill").hidden = true;
  for (const id of ["paste", "board"]) open(id, false);
  for (const button of document.querySelectorAll("[data-hold]")) button.setAttribute("aria-pressed", "false");
  if (document.activeElement !== document.body) return;
  if (barred) at("machines").focus();
  else if (!at("again").hidden) at("again").focus();
}

// Connecting

async function connect({ quiet = false } = {}) {
  hangUp();
  if (!quiet) show("connecting");
  const mine = attempt;
  const answer = await talk.grant(page.grant, mode);
  if (mine !== attempt) return;
  if (answer.socket) dial(answer);
  else refused(answer);
}

function dial({ socket, mode: granted }) {
  const address = new URL(socket, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  mode = granted;
  show("connecting");
  const channel = new WebSocket(address, ["binary"]);
  // Before noVNC, which does not say by which code it ended.
  channel.addEventListener("close", ({ code }) => { if (mine === link && TAKEN[code]) over(SHOWN[TAKEN[code]] ?? "refused", TAKEN[code]); });
  const mine = (link = new RFB(at("picture"), channel, { shared: true }));
  mine.background = "#0b0e13";
  mine.viewOnly = mode === "view";
  pasting.connected(mine, {
    alive: () => mine === link && page.state === "connected",
    standstill: () => at("standstill-words").textContent,
  });
  mine.addEventListener("connect", () => { if (mine === link) connected(); });
  mine.addEventListener("disconnect", () => {
    if (mine !== link) return;
    link = null;
    lost(say.lost);
  });
  scale();
}

function connected() {
  since = Date.now();
  had = true;
  show("connected", "", mode === "view" ? say.wordWatching : "");
  const canvas = at("picture").querySelector("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", say.label);
  canvas.setAttribute("aria-describedby", "hint");
  if (at("mode")) at("mode").textContent = mode === "view" ? at("mode").dataset.control : at("mode").dataset.watch;
  // Only who was nowhere, or waited for just this, is taken there.
  const focused = document.activeElement;
  if (!coarse && (focused === document.body || at("panel").contains(focused))) link.focus({ preventScroll: true });
}

function hangUp() {
  clearTimeout(retry);
  attempt += 1;
  overdue = false;
  const old = link;
  link = null;
  old?.disconnect();
  at("picture").replaceChildren();
}

/** Try again after a while, a few times; `why` says what happened. */
function lost(why) {
  if (since && Date.now() - since > STEADY) tries = 0;
  since = 0;
  hangUp();
  if (tries >= PAUSES.length) {
    rest("lost", why === say.lost ? say.givenUp.replace("{all}", PAUSES.length) : why);
    return;
  }
  retry = setTimeout(connect, PAUSES[tries]);
  tries += 1;
  show("lost", why.replace("{n}", tries).replace("{all}", PAUSES.length));
}

/** Nothing helps at the moment: try again now and then, while somebody looks. */
function rest(state, why) {
  show(state, `${why} ${say.slowly}`);
  retry = setTimeout(() => {
    if (document.hidden) overdue = true;
    else connect({ quiet: true });
  }, SLOWLY);
}

function over(state, why) {
  hangUp();
  show(state, say[why]);
}

/** There is no connection, and the portal said why. */
function refused({ state, text }) {
  if (state === "silent") lost(say.silent);
  else if (state === "ended") show("ended");
  // After a connection its own place may not be free yet.
  else if (["unreachable", "limit"].includes(state) && (tries || had)) lost(text);
  else if (["unreachable", "limit", "full"].includes(state)) rest("refused", text);
  else if (state === "off") {
    running = false;
    show("off", text);
    look();
  } else show("refused", state === "gone" ? say.gone : text);
}

function again() {
  tries = 0;
  connect();
}

// How the machine is, and who else looks at it

async function look() {
  const now = await talk.stateOf(page.stateOf);
  if (now.status) take(now);
  else if (now.state === "ended" && page.state !== "connected") {
    hangUp();
    show("ended");
  }
}

function take(now) {
  const told = { view: say.watches, control: say.controls };
  warn(now.banner);
  put("others", now.others.map((one) => told[one.mode].replace("{name}", one.name)).join(" · "));
  if (page.state === "connected") {
    put("standstill-words", now.standstill);
    at("standstill").hidden = !now.standstill;
    at("resume").hidden = !now.may_resume;
  }
  if (!["off", "waiting"].includes(page.state)) return;
  const ready = now.status === "running" && !now.busy;
  if (ready && !running) return again();
  running = ready;
  if (now.busy) waiting(now.words);
  else if (!ready) {
    at("start").hidden = !now.may_start;
    show("off", now.text, now.words);
  }
}

function waiting(words) {
  if (page.state !== "waiting") clock.start();
  show("waiting", "", words);
  at("clock").firstChild.data = `${words}… `;
}

async function keepLooking() {
  if (!document.hidden && page.state !== "ended") await look();
  setTimeout(keepLooking, ["off", "waiting"].includes(page.state) ? WAITING : POLL);
}

// The tools

function open(id, wanted) {
  at(id).hidden = !wanted;
  at(`${id}-open`).setAttribute("aria-expanded", String(wanted));
  at("layout-box").hidden = at("paste").hidden && at("board").hidden;
}

function toggle(id, field) {
  open(id, at(id).hidden);
  if (!at(id).hidden) at(field).focus();
  else link?.focus();
}

function scale() {
  const fit = at("fit").getAttribute("aria-pressed") === "true";
  link.scaleViewport = fit;
  // A finger has no scroll bars: it moves the picture, and a tap still clicks.
  link.clipViewport = link.dragViewport = coarse && !fit;
}

async function paste(event) {
  event.preventDefault();
  await pasting.paste(letGo);
}

function letGo() {
  for (const button of document.querySelectorAll("[data-hold][aria-pressed=true]")) hold(button, false);
}

function hold(button, down) {
  button.setAttribute("aria-pressed", String(down));
  input.press(link, button.dataset.hold, down);
}

const CLICKS = {
  mode: () => { mode = mode === "view" ? "control" : "view"; again(); },
  secure: () => { link.sendCtrlAltDel(); link.focus(); },
  "paste-open": () => toggle("paste", "text"),
  "paste-close": () => { open("paste", false); at("paste-open").focus(); },
  "type-stop": pasting.stop,
  "board-open": () => toggle("board", "keys"),
  fit: () => {
    at("fit").setAttribute("aria-pressed", String(at("fit").getAttribute("aria-pressed") !== "true"));
    scale();
  },
  full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
  link: () => (["connected", "connecting"].includes(page.state) ? over("closed") : again()),
  again,
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.hold) hold(button, button.getAttribute("aria-pressed") !== "true");
  else if (button?.dataset.key) {
    input.press(link, button.dataset.key);
    letGo();
  } else CLICKS[button?.id]?.();
});
at("paste").addEventListener("submit", paste);
input.mirror(at("keys"), { link: () => link, write: (signs) => pasting.write(signs, letGo), typed: letGo });
input.wayOut(at("picture"), () => {
  at("left").textContent = say.left;
  setTimeout(() => { at("left").textContent = ""; }, 2000);
  document.querySelector("#tools button:not(:disabled)").focus();
});
if (!document.fullscreenEnabled) at("full").hidden = true; // phones of one maker
document.addEventListener("fullscreenchange", () => {
  at("full").setAttribute("aria-pressed", String(Boolean(document.fullscreenElement)));
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  look();
  if (overdue) connect({ quiet: true });
});

at("tools").hidden = false;
clock.start(at("elapsed").textContent);
setInterval(() => { at("elapsed").textContent = clock.passed(); }, 1000);
setTimeout(keepLooking, WAITING);
if (running) connect();
else if (page.rest) rest(page.state, at("sentence").textContent);
else show(page.state, at("sentence").textContent, at("word").textContent);
