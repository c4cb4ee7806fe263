// How lanes, video and skeleton are drawn. Pure functions of a canvas and what is to be seen.
const FONT = "12px system-ui, sans-serif";
export const LOOKS = {
  false: { back: "#ffffff", line: "#d5dbe1", text: "#1c2733", soft: "#526070", cursor: "#c2185b", chosen: "rgba(25,118,210,0.18)", edge: "#1565c0" },
  true: { back: "#10171e", line: "#2b3742", text: "#e6edf3", soft: "#9fb0c0", cursor: "#ff6090", chosen: "rgba(100,181,246,0.22)", edge: "#90caf9" },
};
export const CHANNELS = { false: ["#0b63b0", "#b54708", "#1b7a3d", "#7b3fb0"], true: ["#64b5f6", "#ffb74d", "#81c784", "#ce93d8"] };

export function unpacked(buffer) {
  const size = new DataView(buffer).getUint32(0, true);
  const parts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  let at = 4 + size;
  for (const part of parts) {
    part.values = new Float32Array(buffer, at, part.count);
    at += 4 * part.count;
  }
  return parts;
}

export function hue(label) {
  let sum = 7;
  for (const letter of label) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return (sum % 24) * 15;
}

export function clockOf(seconds) {
  const s = Math.max(seconds, 0), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60, rest = (s % 60).toFixed(1).padStart(4, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
}

const NAMED = 54, NAME = 15; // a lane of spans, and the line in it that says what it is

export function lanesOf(facts) {
  const lanes = [{ kind: "ruler", height: 24 }, { kind: "said", height: NAMED, name: "Labels" }, { kind: "found", height: NAMED, name: "Recognised" }];
  for (const facts_ of facts.lanes) lanes.push({ kind: "signal", height: 96, facts: facts_ });
  let top = 0;
  for (const lane of lanes) { lane.top = top; top += lane.height; lane.bottom = top; }
  return lanes;
}

export function drawLanes(canvas, state) {
  const pen = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1, look = LOOKS[Boolean(state.dark)];
  const width = canvas.width / ratio, height = canvas.height / ratio, [from, to] = state.view;
  const x = (time) => ((time - from) / (to - from)) * width;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = FONT;
  pen.fillStyle = look.back;
  pen.fillRect(0, 0, width, height);
  ruler(pen, state, look, width, height, x);
  for (const lane of state.lanes) {
    pen.strokeStyle = look.line;
    pen.lineWidth = 1;
    line(pen, 0, lane.bottom - 0.5, width, lane.bottom - 0.5);
    if (lane.kind === "signal") signal(pen, lane, state, look, width);
    if (lane.kind === "said" || lane.kind === "found") spansOf(pen, lane, state, look, width, x);
  }
  if (state.chosen) {
    const [a, b] = state.chosen.map(x);
    pen.fillStyle = look.chosen;
    pen.fillRect(a, 24, Math.max(b - a, 1), height - 24);
    pen.strokeStyle = look.edge;
    pen.lineWidth = 1.5;
    line(pen, a, 24, a, height);
    line(pen, b, 24, b, height);
  }
  pen.strokeStyle = look.cursor;
  pen.lineWidth = 1.5;
  line(pen, x(state.at), 0, x(state.at), height);
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function ruler(pen, state, look, width, height, x) {
  const [from, to] = state.view, start = state.facts.from_s;
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800];
  const least = ((to - from) / width) * 84, step = steps.find((s) => s >= least) || 86400;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  for (let k = Math.ceil((from - start) / step); k * step <= to - start; k++) {
    const at = x(start + k * step);
    pen.strokeStyle = look.line;
    pen.lineWidth = 1;
    line(pen, at, 0, at, height);
    pen.fillStyle = look.soft;
    const said = step < 0.1 ? `${(k * step).toFixed(2)} s` : clockOf(k * step).replace(step >= 1 ? /\.0$/ : /$^/, "");
    if (at + pen.measureText(said).width + 4 < width) pen.fillText(said, at + 4, 12);
  }
}

function spansOf(pen, lane, state, look, width, x) {
  const all = state.spans[lane.kind];
  const top = lane.top + NAME + 2, height = lane.height - NAME - 6;
  pen.fillStyle = look.text;
  pen.textBaseline = "middle";
  pen.fillText(lane.name, 6, lane.top + NAME / 2 + 2);
  for (const [start, end, label, confidence, count] of all) {
    const a = x(start), b = x(end);
    if (b < 0 || a > width) continue;
    const left = Math.max(a, -2), right = Math.min(b, width + 2), wide = Math.max(right - left - 1, 1);
    const unknown = label === "unknown";
    pen.fillStyle = unknown ? look.line : `hsl(${hue(label)}, 55%, 34%)`;
    if (unknown) {
      hatch(pen, left, top, wide, height, look);
    } else {
      pen.globalAlpha = lane.kind === "found" ? 0.55 + 0.45 * confidence : 1;
      pen.fillRect(left, top, wide, height);
      pen.globalAlpha = 1;
    }
    if (lane.kind === "found" && !unknown) { // a bar below says how sure it is
      pen.fillStyle = "rgba(255,255,255,0.85)";
      pen.fillRect(left, top + height - 3, wide * confidence, 3);
    }
    if (state.picked && state.picked.lane === lane.kind && state.picked.span[0] === start) {
      pen.strokeStyle = look.edge;
      pen.lineWidth = 3;
      pen.strokeRect(left + 1, top + 1, wide - 2, height - 2);
    }
    const more = lane.kind === "found" ? ` ${Math.round(confidence * 100)} %` : "";
    const said = label + (count === null || count === undefined ? "" : ` ×${count}`);
    pen.fillStyle = unknown ? look.text : "#ffffff";
    write(pen, said, more, Math.max(left, 0) + 5, top + height / 2, Math.min(right, width) - Math.max(left, 0) - 10);
  }
  if (!all.length) {
    pen.fillStyle = look.soft;
    pen.fillText(lane.kind === "said" ? "none yet" : state.spans.why || "nothing", 6, top + height / 2);
  }
}

function hatch(pen, left, top, wide, height, look) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, height);
  pen.clip();
  pen.strokeStyle = look.line;
  pen.lineWidth = 2;
  for (let at = left - (left % 8) - height; at < left + wide; at += 8) line(pen, at, top + height, at + height, top);
  pen.restore();
}

function write(pen, said, more, left, middle, room) {
  pen.textBaseline = "middle";
  for (const text of [said + more, said, `${said.slice(0, 5)}…`]) {
    if (pen.measureText(text).width <= room) { pen.fillText(text, left, middle); return; }
  }
}

function signal(pen, lane, state, look, width) {
  const { facts } = lane, part = state.parts.find((p) => p.name === facts.name), [low, high] = facts.range;
  const inner = lane.height - 12, y = (value) => lane.top + 6 + inner * (1 - (value - low) / (high - low));
  const [from, to] = state.view, [then, until] = state.drawnView, scale = (until - then) / (to - from);
  const shift = ((then - from) / (to - from)) * width;
  pen.save();
  pen.beginPath();
  pen.rect(0, lane.top, width, lane.height);
  pen.clip();
  for (let channel = 0; part && channel < part.channels; channel++) {
    pen.strokeStyle = CHANNELS[Boolean(state.dark)][channel % 4];
    pen.lineWidth = 1.2;
    pen.globalAlpha = 0.85;
    pen.beginPath();
    if (part.kind === "bins") bins(pen, part, channel, width, scale, shift, y);
    else lines(pen, part, channel, facts, (time) => ((then + time - from) / (to - from)) * width, y);
    pen.stroke();
  }
  pen.globalAlpha = 1;
  const name = `${facts.name} ${facts.units}`, wide = pen.measureText(name).width;
  pen.fillStyle = look.back;
  pen.globalAlpha = 0.8;
  pen.fillRect(2, lane.top + 3, wide + 8 + 16 * facts.axes.length, 17);
  pen.globalAlpha = 1;
  pen.fillStyle = look.text;
  pen.textBaseline = "middle";
  pen.fillText(name, 6, lane.top + 12);
  facts.axes.forEach((axis, i) => {
    pen.fillStyle = CHANNELS[Boolean(state.dark)][i % 4];
    pen.fillText(axis, 12 + wide + 14 * i, lane.top + 12);
  });
  pen.restore();
}

export function bins(pen, part, channel, width, scale, shift, y) {
  const many = part.count / part.channels / 2;
  let drawn = false, last = 0;
  for (let k = 0; k < many; k++) {
    const at = (k * part.channels + channel) * 2, least = part.values[at], most = part.values[at + 1];
    if (Number.isNaN(least)) { drawn = false; continue; }
    const x = shift + ((k + 0.5) / many) * width * scale;
    // on from where the line is: to the nearer of the two, then to the other
    const [first, second] = Math.abs(last - least) <= Math.abs(last - most) ? [least, most] : [most, least];
    if (drawn) pen.lineTo(x, y(first)); else pen.moveTo(x, y(first));
    pen.lineTo(x, y(second) + (first === second ? 0.5 : 0));
    last = second;
    drawn = true;
  }
}

function lines(pen, part, channel, facts, x, y) {
  let before = -Infinity;
  part.times.forEach((time, i) => {
    const value = part.values[i * part.channels + channel];
    if (Number.isNaN(value)) { before = -Infinity; return; }
    if (time - before > 2.5 / facts.rate_hz) pen.moveTo(x(time), y(value)); else pen.lineTo(x(time), y(value));
    before = time;
  });
}

export function drawStage(canvas, pictures, pose, dark) {
  const ratio = window.devicePixelRatio || 1, look = LOOKS[Boolean(dark)];
  const room = canvas.parentElement.clientWidth, tall = Math.min(240, room * 0.6);
  const over = pose && pose.facts.flat && pictures.length; // pixels of the video: drawn on it
  const boxes = pictures.map((p) => ({ ...p, wide: (tall * p.video.width) / p.video.height }));
  if (pose && !over) boxes.push({ pose, wide: tall * 0.8 });
  const sum = boxes.reduce((total, box) => total + box.wide, 0) || 1, scale = Math.min(1, room / sum);
  const height = tall * scale;
  Object.assign(canvas, { width: sum * scale * ratio, height: height * ratio });
  Object.assign(canvas.style, { width: `${sum * scale}px`, height: `${height}px` });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = look.back;
  pen.fillRect(0, 0, sum * scale, height);
  pen.imageSmoothingEnabled = false;
  let left = 0;
  for (const box of boxes) {
    const wide = box.wide * scale;
    if (box.image) {
      const { width, height: high } = box.video;
      pen.drawImage(box.image, box.column * width, 0, width, high, left, 0, wide, height);
    }
    if (box.pose) skeleton(pen, box.pose, box.pose.facts.box, left, wide, height, look);
    else if (over && box === boxes[0]) skeleton(pen, pose, [0, 0, box.video.width, box.video.height], left, wide, height, look);
    left += wide;
  }
}

export function skeleton(pen, pose, [x0, y0, x1, y1], left, wide, high, look) {
  const scale = Math.min(wide / (x1 - x0), high / (y1 - y0)) * 0.94;
  const at = (joint) => [
    left + wide / 2 + (pose.joints[joint * 2] - (x0 + x1) / 2) * scale,
    high / 2 + (pose.joints[joint * 2 + 1] - (y0 + y1) / 2) * scale,
  ];
  pen.strokeStyle = look.edge;
  pen.lineWidth = 3;
  pen.lineCap = "round";
  for (const [a, b] of pose.facts.bones) line(pen, ...at(a), ...at(b));
  pen.fillStyle = look.cursor;
  for (let joint = 0; joint < pose.joints.length / 2; joint++) {
    const [x, y] = at(joint);
    pen.beginPath();
    pen.arc(x, y, 2.5, 0, 7);
    pen.fill();
  }
}
