// A phone's page: its motion goes to kinjo, what is recognised comes back. No library, nothing from elsewhere.
//
// What is sent: stream "acc", m/s^2 with gravity, +9.8 along the axis that points up at rest, and stream "gyro", rad/s, both in
// the axes of the device (x to the right of the screen, y to its top, z out of it), times in seconds of performance.now(), which
// no change of the phone's clock moves. Browsers of iOS give acceleration with the opposite sign: it is turned here.
"use strict";

const BATCH_MS = 100, CLOCK_MS = 2000, WARM_S = 1.0, SILENT_MS = 2500, FULL = 1 << 18;
const IOS = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
const SIGN = IOS ? -1 : 1, RADIANS = Math.PI / 180;
const at = (id) => document.getElementById(id);
const base = location.pathname.replace(/\/+$/, "");
const now = () => performance.now() / 1000;
const spoken = (place) => place.replace(/_/g, " ");

const SAID = {
  starts: "Waiting for the sensors ...",
  refused: "The browser may not read the motion sensors. Allow it: reload this page, press Start and allow motion; on an iPhone, if it does not ask, close this tab and scan the code again.",
  none: "This device gives no motion: it has no sensors, or the browser does not show them. Open this page on a phone.",
  insecure: "Browsers give motion to secure pages alone, and this one is not: start kinjo with 'kinjo studio --lan' and scan the code again.",
  hidden: "Paused while the page is not in front.",
};
let state = "there", wire = null, place = null, last = -Infinity, rate = 0, sent = null, taught = "", lock = null;
let warm = [], batch = [], sensors = [], offset = null, best = Infinity, latency = null, shown = "", tries = 0, first = null, ours = false, answers = 0;

// ------------------------------------------------------------------------------------------------ what the page says
function say(text, bad = false) {
  if (at("status").textContent !== text) at("status").textContent = text;
  at("status").classList.toggle("bad", bad);
}

function became(next) {
  state = next;
  tell({ phone: "state", state });
  at("start").textContent = state === "streams" || state === "hidden" ? "Stop" : "Start";
  status();
}

function status() {
  if (!wire || !wire.open) return; // why is said where the connection is
  if (SAID[state]) say(SAID[state], ["refused", "none", "insecure"].includes(state));
  else if (state === "streams") say(wire.post ? "Streaming, by HTTP." : "Streaming.");
  else say("Connected. Press Start, then put the phone where it is worn.");
}

function waiting() {
  if (state !== "streams" || shown || !place || first === null) return;
  const left = Math.ceil(place.window_s - (now() - first));
  at("sure").textContent = left > 0 ? `The first answer comes in ${left} s.` : "Waiting for the first answer ...";
}

// ------------------------------------------------------------------------------------------------ the sensors
async function start() {
  if (state === "streams" || state === "hidden") return stop();
  if (!window.isSecureContext) return became("insecure");
  if (typeof DeviceMotionEvent === "undefined") return became("none");
  if (typeof DeviceMotionEvent.requestPermission === "function") {
    const answer = await DeviceMotionEvent.requestPermission().catch(() => "denied");
    if (answer !== "granted") return became("refused");
  }
  forget();
  became("starts");
  window.addEventListener("devicemotion", moved);
  setTimeout(() => { if (state === "starts" && !warm.length) became("none"); }, SILENT_MS);
  awake();
}

function quiet() { window.removeEventListener("devicemotion", moved); }

function forget() {
  warm = []; batch = []; last = -Infinity; sent = null; first = null; shown = "";
  at("label").textContent = "–";
  at("bar").value = 0;
  for (const id of ["count", "latency", "rate"]) at(id).textContent = "–";
}

function stop() {
  quiet();
  if (lock) lock.release().catch(() => {});
  forget();
  at("sure").textContent = "Stopped.";
  became("there");
  anew(); // a stream is declared once: the next Start begins another
}

async function awake() {
  try { lock = await navigator.wakeLock.request("screen"); } catch { lock = null; }
}

function moved(event) {
  const a = event.accelerationIncludingGravity, r = event.rotationRate;
  if (!a || a.x === null || a.y === null || a.z === null) return; // a machine without sensors sends one such event
  if (state === "none") became("starts"); // they only took their time
  const stamp = event.timeStamp / 1000, clock = now();
  const t = Math.abs(clock - stamp) < 10 ? stamp : clock;
  if (t <= last) {
    if (last - t > 1) again("The phone's clock went back: the stream begins anew.");
    return;
  }
  last = t;
  const gyro = r && r.alpha !== null && r.beta !== null && r.gamma !== null;
  const one = { t, acc: [SIGN * a.x, SIGN * a.y, SIGN * a.z], gyro: gyro ? [r.alpha * RADIANS, r.beta * RADIANS, r.gamma * RADIANS] : null };
  if (sent) batch.push(one);
  else warmed(one);
}

function warmed(one) {
  warm.push(one);
  const from = warm[0].t;
  if (one.t - from < WARM_S || warm.length < 5) return;
  const steps = warm.slice(1).map((w, k) => w.t - warm[k].t).sort((p, q) => p - q);
  rate = 1 / steps[steps.length >> 1];
  sensors = warm.every((w) => w.gyro) ? ["acc", "gyro"] : ["acc"];
  if (warm.length > 400) warm = warm.slice(-200);
  begin();
}

function begin() {
  // what comes, once both the place and the rate are known
  if (sent || !place || !wire || !wire.open || !rate || !warm.length || !["starts", "streams", "hidden"].includes(state)) return;
  const contracts = { acc: { quantity: "acc", units: "m/s^2", gravity: true }, gyro: { quantity: "gyro", units: "rad/s" } };
  const streams = {};
  for (const name of sensors) {
    streams[name] = { modality: "imu", ...contracts[name], rate_hz: Math.round(rate * 100) / 100, placement: place.place };
  }
  sent = place.place;
  first = warm[0].t;
  batch = warm;
  warm = [];
  wire.send(JSON.stringify({ streams, windows: true, counts: true, late_s: 0, wait_s: 0.3, hop_s: place.hop_s }));
  became("streams");
}

function flush() {
  waiting();
  if (!wire || !wire.open || !sent || !batch.length) return;
  const some = batch, lines = [];
  batch = [];
  if (wire.waits > FULL) return say("The connection is too slow: some of the signal is left out.", true);
  for (const name of sensors) {
    const has = some.filter((one) => one[name]);
    if (!has.length) continue;
    const values = has.map((one) => one[name].map((v) => Math.round(v * 1e4) / 1e4));
    lines.push(JSON.stringify({ stream: name, t: has.map((one) => Math.round(one.t * 1e4) / 1e4), values }));
  }
  if (lines.length) wire.send(lines.join("\n"));
}

// ------------------------------------------------------------------------------------------------ the connection
class Posts {
  // as a WebSocket, where the browser refuses one: messages by POST, answers in its response
  constructor(heard, closed) {
    Object.assign(this, { heard, closed, open: true, post: true, lines: [], busy: false, failed: 0, idle: 0 });
    this.visit = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
    this.timer = setInterval(() => this.turn(), BATCH_MS);
  }
  get waits() { return this.lines.length > 50 ? FULL + 1 : 0; }
  send(text) { this.lines.push(text); this.turn(); }
  async turn() {
    if (this.busy || !this.open) return;
    if (!this.lines.length && !sent && (this.idle = (this.idle + 1) % 5)) return;
    this.busy = true;
    const some = this.lines;
    this.lines = [];
    try {
      const got = await fetch(`${base}/send?visit=${this.visit}`, { method: "POST", body: some.join("\n") });
      if (got.status === 401) return this.close(1008, "expired");
      if (!got.ok) throw new Error(String(got.status));
      this.failed = 0;
      this.heard(await got.text());
    } catch {
      if ((this.failed += 1) > 3) this.close(1006, "lost");
    } finally {
      this.busy = false;
    }
  }
  close(code = 1000, reason = "") {
    if (!this.open) return;
    this.open = false;
    clearInterval(this.timer);
    this.closed(code, reason);
  }
}

class Socket {
  constructor(heard, opened, closed) {
    Object.assign(this, { open: false, post: false });
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${base}/stream`);
    this.socket.onopen = () => { this.open = true; opened(); };
    this.socket.onmessage = (event) => heard(event.data);
    this.socket.onclose = (event) => { const was = this.open; this.open = false; closed(event.code, event.reason, was); };
  }
  get waits() { return this.socket.bufferedAmount; }
  send(text) { if (this.socket.readyState === 1) this.socket.send(text); }
  close() { this.socket.close(); }
}

function connect() {
  const mine = (one) => wire === one;
  const made = new Socket((text) => mine(made) && heard(text), () => opened(), (code, reason, was) => mine(made) && closed(code, reason, was));
  wire = made;
}

function opened() {
  tries = 0;
  best = Infinity;
  answers = 0;
  for (let k = 0; k < 4; k += 1) setTimeout(tick, 300 * k);
  tell({ phone: "state", state });
  status();
}

async function closed(code, reason, was) {
  const asked = ours;
  place = null;
  sent = null;
  ours = false;
  if (asked) return setTimeout(connect, 50);
  if (code === 4001) return say("Another phone took over. Reload this page to take it back.", true);
  if (!was) { // never open: refused, too old, or out of reach
    const got = await fetch(`${base}/phone.css`, { cache: "no-store" }).catch(() => null);
    if (got && got.status === 401) return say("This link is too old: scan the code of the Live page again.", true);
    if (got && got.ok && (tries += 1) > 1) {
      wire = new Posts(heard, (c, why) => closed(c, why, true));
      return opened();
    }
  }
  if (reason === "expired") return say("This link is too old: scan the code of the Live page again.", true);
  say(`${was && reason ? `${reason}. ` : ""}The connection is lost: trying again ...`, true);
  setTimeout(connect, Math.min(500 * 2 ** Math.min(tries, 4), 5000));
  tries += 1;
}

function again(why) {
  say(why, true);
  forget();
  state = "starts";
  anew();
}

function anew() {
  ours = true;
  if (wire && wire.open) wire.close();
}

function tell(message) {
  if (wire && wire.open) wire.send(JSON.stringify(message));
}

function tick() {
  // the best of some answers: the first may have waited for the model
  if (wire && wire.open) tell({ phone: "clock", at: now(), state, offset_s: answers > 3 ? offset : null, latency_ms: latency, rate_hz: sent ? rate : null });
}

// ------------------------------------------------------------------------------------------------ what comes back
function heard(text) {
  for (const line of text.split("\n")) {
    if (!line) continue;
    const event = JSON.parse(line), act = ACTS[event.event];
    if (act) act(event);
  }
}

const ACTS = {
  place(event) {
    const select = at("place");
    select.replaceChildren(...event.places.map((name) => new Option(spoken(name), name, false, name === event.place)));
    select.disabled = false;
    const other = sent && sent !== event.place;
    place = event;
    if (other) again("Worn elsewhere now: the stream begins anew.");
    else begin();
  },
  window(event) {
    const sure = event.confidence, known = sure >= (place ? place.enter : 0.5), label = known ? event.label : "unknown";
    if (label !== shown) { shown = label; at("label").textContent = label; at("count").textContent = "–"; }
    at("sure").textContent = known ? `${Math.round(sure * 100)} % sure` : `perhaps ${event.label}, ${Math.round(sure * 100)} %`;
    at("bar").value = sure * 100;
    at("rate").textContent = `${Math.round(rate)} Hz`;
    painted(() => {
      latency = (now() - event.end_s) * 1000;
      at("latency").textContent = `${Math.round(latency)} ms`;
      window.dispatchEvent(new CustomEvent("kinjo-shown", { detail: { end_s: event.end_s, ms: latency } }));
    });
  },
  count(event) {
    if (event.label === shown) at("count").textContent = event.repetitions === null ? "not counted" : event.repetitions;
  },
  error(event) { say(`${event.message}. ${event.next || ""}`, true); },
  clock(event) {
    const took = now() - event.at;
    answers += 1;
    if (took <= best) { best = Math.min(best, took); offset = event.server_s - (event.at + took / 2); }
  },
  record(event) {
    const { phase, name } = event;
    const said = {
      countdown: `${name}: begin in ${event.left_s} ...`, record: `Recording ${name} for ${event.left_s} s: do it now.`,
      teach: "Learning ...", done: `${name} is known now.`, failed: event.said, gone: `${name}: taken back.`,
    };
    at("told").textContent = said[phase];
    at("told").classList.toggle("bad", phase === "failed");
    at("record").disabled = ["countdown", "record", "teach"].includes(phase);
    taught = phase === "done" ? event.id : "";
    at("back").hidden = !taught;
    if (phase === "record" && navigator.vibrate) navigator.vibrate(200);
    if (phase === "done" && navigator.vibrate) navigator.vibrate([100, 100, 100]);
  },
  closed(event) { wire.close(event.code, event.reason); },
};

function painted(then) {
  // once it is on the screen; a page that is not in front paints nothing
  if (document.hidden) return;
  requestAnimationFrame(() => { const pipe = new MessageChannel(); pipe.port1.onmessage = then; pipe.port2.postMessage(0); });
}

at("start").addEventListener("click", start);
at("place").addEventListener("change", (event) => tell({ phone: "place", place: event.target.value }));
at("back").addEventListener("click", () => tell({ phone: "back", id: taught }));
at("teach").addEventListener("submit", (event) => {
  event.preventDefault();
  tell({ phone: "record", name: at("name").value });
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && state === "streams") became("hidden");
  else if (!document.hidden && state === "hidden") { became("streams"); awake(); }
});
setInterval(flush, BATCH_MS);
setInterval(tick, CLOCK_MS);
connect();
