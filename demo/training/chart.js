// A line chart on a canvas: steady axes, one colour a run, sharp on every screen, drawn at most once a frame.

export const COLOURS = ["#6366f1", "#ea580c", "#0d9488", "#db2777", "#ca8a04", "#2563eb", "#65a30d", "#9333ea"];
const MARGIN = { left: 48, right: 14, top: 8, bottom: 40 };

/**
 * `draw({ lines, x, y })`: lines are {points: [[x, y], ...], colour, thin, dots}; x and y are
 * {from, to, ticks, text(value)}, x with a `name`. Points outside are cut off at the frame.
 */
export function createChart(canvas) {
  let shown = null;
  let asked = 0;

  function paint() {
    asked = 0;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !shown) return; // the tab is hidden
    const sharp = Math.max(1, window.devicePixelRatio || 1);
    if (canvas.width !== Math.round(width * sharp) || canvas.height !== Math.round(height * sharp)) {
      Object.assign(canvas, { width: Math.round(width * sharp), height: Math.round(height * sharp) });
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.clearRect(0, 0, width, height);
    const frame = { left: MARGIN.left, top: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const { x, y } = shown;
    const right = (value) => frame.left + (frame.width * (value - x.from)) / (x.to - x.from);
    const up = (value) => frame.top + frame.height * (1 - (value - y.from) / (y.to - y.from));
    axes(pen, frame, x, y, right, up);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left - 4, frame.top - 4, frame.width + 8, frame.height + 8);
    pen.clip();
    for (const line of shown.lines) draw(pen, line, right, up);
    pen.restore();
  }

  function axes(pen, frame, x, y, right, up) {
    const style = getComputedStyle(canvas);
    const ink = style.getPropertyValue("--ink") || style.color;
    pen.font = "12px " + style.fontFamily;
    pen.fillStyle = ink;
    pen.strokeStyle = ink;
    pen.lineWidth = 1;
    for (const value of y.ticks) {
      pen.globalAlpha = value === y.from ? 0.4 : 0.12;
      pen.beginPath();
      pen.moveTo(frame.left, Math.round(up(value)) + 0.5);
      pen.lineTo(frame.left + frame.width, Math.round(up(value)) + 0.5);
      pen.stroke();
      pen.globalAlpha = 0.8;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      pen.fillText(y.text(value), frame.left - 7, up(value));
    }
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    for (const value of x.ticks) pen.fillText(x.text(value), right(value), frame.top + frame.height + 17);
    pen.fillText(x.name, frame.left + frame.width / 2, frame.top + frame.height + 35);
    pen.globalAlpha = 1;
  }

  function draw(pen, { points, colour, thin, dots }, right, up) {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = thin ? 1 : 2.2;
    pen.globalAlpha = thin ? 0.6 : 1;
    pen.lineJoin = "round";
    pen.beginPath();
    points.forEach(([a, b], i) => (i ? pen.lineTo(right(a), up(b)) : pen.moveTo(right(a), up(b))));
    if (!dots) pen.stroke();
    if (dots || points.length === 1) {
      for (const [a, b] of points) {
        pen.beginPath();
        pen.arc(right(a), up(b), thin ? 2 : 3.5, 0, 7);
        pen.fill();
      }
    }
    pen.globalAlpha = 1;
  }

  const ask = () => (asked ||= requestAnimationFrame(paint));
  new ResizeObserver(ask).observe(canvas);
  return {
    redraw: paint, // at once: no frame comes between a dark screen and its print
    draw(chart) {
      shown = chart;
      ask();
    },
  };
}
