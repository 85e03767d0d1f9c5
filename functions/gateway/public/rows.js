// @ts-check
// A row of the plug for each lane: its figures, and a tape of the newest events.

const LATE_MS = 1_500; // more than a short poll explains

export const NAMES = { websocket: "WebSocket", sse: "SSE", "long-poll": "Long poll", poll: "Short poll" };

export const number = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 && !Number.isInteger(value) ? 2 : 0 });

/** `sent`: how many events there are. */
export function paintLane(lane, row, sent) {
  const per = (sum) => (lane.events ? number(sum / lane.events) : "–");
  const values = {
    received: number(lane.received),
    lost: lane.received ? number(lane.lost) : "–",
    doubled: lane.received ? number(lane.doubled) : "–",
    latency: lane.latencyMs === undefined ? "–" : `${number(lane.latencyMs)} ms`,
    requests: per(lane.meter.requests),
    bytes: per(lane.meter.bytes),
  };
  for (const [name, value] of Object.entries(values)) row.querySelector(`[data-value="${name}"]`).textContent = value;
  row.querySelector("b").textContent = lane.name || NAMES[lane.transport];
  row.querySelector("small").textContent = row.dataset.state = lane.state;
  for (const name of ["lost", "doubled"]) row.querySelector(`[data-value="${name}"]`).toggleAttribute("data-is-bad", lane[name] > 0);
  paintTape(lane, row.querySelector("canvas"), sent);
}

/** The newest events of all, a cell for each. */
function paintTape(lane, canvas, sent) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio;
  if (canvas.width !== width * scale) Object.assign(canvas, { width: width * scale, height: height * scale });
  const brush = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  const color = (name) => style.getPropertyValue(`--${name}`);
  brush.setTransform(scale, 0, 0, scale, 0, 0);
  brush.clearRect(0, 0, width, height);
  const step = 5;
  const cells = Math.floor(width / step);
  const first = Math.max(1, sent - cells + 1);
  for (let n = first; n < first + cells; n++) {
    const arrival = lane.arrivals[n];
    const isLost = !arrival && n < lane.newest;
    const kind = isLost ? "lost" : !arrival ? "open" : arrival.times > 1 ? "doubled" : arrival.lateMs > LATE_MS ? "late" : "on-time";
    // Not by color alone: what is lost is low, what came late is not quite as high.
    const part = { lost: 0.28, open: 0.1, late: 0.72 }[kind] ?? 1;
    brush.fillStyle = color(kind);
    if (isLost) {
      brush.globalAlpha = 0.2;
      brush.fillRect((n - first) * step, 0, step - 1, height);
      brush.globalAlpha = 1;
    }
    brush.fillRect((n - first) * step, height * (1 - part), step - 1, height * part);
  }
}
