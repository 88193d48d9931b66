// What one watches beside the curves: filters as they form, surest mistakes, the confusion matrix.

import { percent, say, t } from "../page/words.js";

export function createSights(root) {
  const area = root.querySelector(".sights");
  const find = (selector) => area.querySelector(selector);
  let last = { confusion: null, labels: [] };

  function filters(pictures) {
    area.hidden = false;
    const across = Math.min(8, pictures.count);
    const down = Math.ceil(pictures.count / across);
    const canvas = find(".filters canvas");
    const [wide, high] = [pictures.width + 1, pictures.height + 1];
    if (canvas.width !== across * wide - 1 || canvas.height !== down * high - 1) {
      Object.assign(canvas, { width: across * wide - 1, height: down * high - 1 });
      const zoom = Math.max(2, Math.floor(232 / canvas.width));
      canvas.style.width = zoom * canvas.width + "px";
    }
    const pen = canvas.getContext("2d");
    greys(pictures).forEach((picture, i) => pen.putImageData(picture, (i % across) * wide, Math.floor(i / across) * high));
  }

  function mistakes(pictures, labels) {
    const items = greys(pictures).map((picture, i) => {
      const item = document.createElement("div");
      item.className = "mistake";
      const canvas = Object.assign(document.createElement("canvas"), { width: pictures.width, height: pictures.height });
      canvas.getContext("2d").putImageData(picture, 0, 0);
      const words = document.createElement("span");
      const values = { read: labels[pictures.read[i]], is: labels[pictures.is[i]], share: percent(pictures.sure[i]) };
      say(words, "train.mistake", values);
      item.title = t("train.mistake.title", values);
      item.append(canvas, words);
      return item;
    });
    if (!items.length) {
      const none = Object.assign(document.createElement("p"), { className: "quiet" });
      say(none, "train.mistakes.none");
      items.push(none);
    }
    find(".mistakes .list").replaceChildren(...items);
  }

  function confusion() {
    const { labels } = last;
    if (!last.confusion) return;
    const canvas = find(".confusion canvas");
    const cell = labels.length > 12 ? 13 : 23;
    const margin = 20;
    const side = margin + cell * labels.length + 1;
    const sharp = Math.max(1, window.devicePixelRatio || 1);
    Object.assign(canvas, { width: side * sharp, height: side * sharp });
    canvas.style.width = canvas.style.height = side + "px";
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const ink = style.getPropertyValue("--ink") || style.color;
    const accent = style.getPropertyValue("--accent") || ink;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    last.confusion.forEach((row, is) => {
      const all = Math.max(1, row.reduce((a, b) => a + b));
      pen.font = "12px " + style.fontFamily;
      pen.globalAlpha = 0.7;
      pen.fillStyle = ink;
      pen.fillText(labels[is], margin / 2, margin + cell * (is + 0.5));
      pen.fillText(labels[is], margin + cell * (is + 0.5), margin / 2);
      row.forEach((count, read) => {
        const share = count / all;
        const right = is === read;
        pen.fillStyle = right ? accent : "#ea580c";
        // wrong ones are few: their colour is as strong as the root, so that one in a hundred is seen
        pen.globalAlpha = !count ? 0.04 : right ? 0.15 + 0.85 * share ** 4 : Math.min(1, 0.12 + 2.2 * Math.sqrt(share));
        pen.fillRect(margin + cell * read, margin + cell * is, cell - 1, cell - 1);
        if (right || !count || cell < 20) return;
        pen.globalAlpha = 0.9;
        pen.fillStyle = ink;
        pen.font = "10px " + style.fontFamily;
        pen.fillText(count, margin + cell * (read + 0.5), margin + cell * (is + 0.5));
      });
    });
    pen.globalAlpha = 1;
    canvas.setAttribute("aria-label", summary(last.confusion, labels));
  }

  document.addEventListener("language", () => area.hidden || confusion());
  return {
    filters,
    epoch(event, labels) {
      area.hidden = false;
      last = { confusion: event.confusion, labels };
      mistakes(event.mistakes, labels);
      confusion();
      area.classList.add("whole");
    },
    redraw: confusion,
    clear() {
      area.hidden = true;
      area.classList.remove("whole");
    },
  };
}

/** {count, width, height, bytes} (base64, a byte a pixel) as a list of ImageData. */
function greys({ count, width, height, bytes }) {
  const values = atob(bytes);
  return Array.from({ length: count }, (_, n) => {
    const picture = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      const value = values.charCodeAt(n * width * height + i);
      picture.data.set([value, value, value, 255], 4 * i);
    }
    return picture;
  });
}

/** The matrix in words: how many are right, and what is most often taken for what. */
function summary(matrix, labels) {
  const all = matrix.flat().reduce((a, b) => a + b, 0);
  const right = matrix.reduce((sum, row, i) => sum + row[i], 0);
  const [count, is, read] = matrix.flatMap((row, i) => row.map((n, j) => (i === j ? [0, i, j] : [n, i, j]))).sort((a, b) => b[0] - a[0])[0];
  return count ? t("train.confusion.said", { right, all, is: labels[is], read: labels[read], count }) : t("train.confusion.clean", { all });
}
