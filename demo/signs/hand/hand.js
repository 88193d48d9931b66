// The hand on a canvas, drawn by three.js, which is loaded with it: it stands in a letter, or spells a word.

import { capsules, joints, normals, openness, readHand, skin } from "./skeleton.js";
import { film, frameAt, readPoses } from "./motion.js";
import { skinColours } from "./tones.js";

const THREE_FILE = new URL("../../page/vendor/three.module.min.js", import.meta.url);
const ASSETS = new URL("../../assets/hand/", import.meta.url);
const LENGTH = 0.19; // metres of the hand: what a path counts in
const DRAG = 0.012; // radians a pixel

/** Whether this browser can draw it. */
export function canDraw() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl2"));
  } catch {
    return false;
  }
}

/** The poses, by name; see motion.js. */
export async function loadPoses() {
  const answer = await fetch(new URL("poses.json", ASSETS));
  if (!answer.ok) throw new Error(`poses.json: ${answer.status}`);
  return readPoses(await answer.json());
}

/**
 * A hand on a canvas. Throws where WebGL 2 or a file is missing.
 *
 * options: letter ("A"), tone (0 light .. 1 dark), left (false), speed (1), onLetter(letter, index), onDone().
 */
export async function createHand(canvas, options = {}) {
  const [THREE, bytes, poses] = await Promise.all([
    import(THREE_FILE),
    fetch(new URL("right.glb", ASSETS)).then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(new Error("right.glb")))),
    loadPoses(),
  ]);
  const hand = readHand(bytes);
  const renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
  const [scene, camera] = [new THREE.Scene(), new THREE.PerspectiveCamera(22, 1, 0.1, 4)];
  camera.position.set(0, 0, 0.68);
  scene.add(new THREE.HemisphereLight(0xffffff, 0x9a8f88, 1.7));
  for (const [place, strength] of [[[-0.5, 0.9, 1], 1.5], [[0.9, 0.1, 0.8], 0.6]]) {
    const lamp = new THREE.DirectionalLight(0xffffff, strength);
    lamp.position.set(...place);
    scene.add(lamp);
  }
  const geometry = new THREE.BufferGeometry();
  const count = hand.points.length / 3;
  const [places, outwards, colours, sky] = [new Float32Array(3 * count), new Float32Array(3 * count), new Float32Array(3 * count), new Float32Array(count)];
  geometry.setAttribute("position", new THREE.BufferAttribute(places, 3));
  geometry.setAttribute("normal", new THREE.BufferAttribute(outwards, 3));
  geometry.setAttribute("color", new THREE.BufferAttribute(colours, 3));
  geometry.setIndex(new THREE.BufferAttribute(hand.triangles, 1));
  const material = new THREE.MeshStandardMaterial({ vertexColors: true, roughness: 0.62 });
  const mesh = new THREE.Mesh(geometry, material);
  mesh.frustumCulled = false;
  const shifted = new THREE.Group(); // the hand's middle is in the scene's; turned by the pose, then by the visitor
  shifted.add(mesh);
  const turned = new THREE.Group();
  turned.add(shifted);
  scene.add(turned);

  let { tone = 0.45, left = false, speed = 1 } = options;
  let [base, pose] = [skinTable(), { ...poses[options.letter ?? "A"], at: [0, 0] }];
  let [letter, frames, clock, last] = [options.letter ?? "A", null, 0, 0];
  let [yaw, pitch, waiting, gone] = [0, 0, 0, false];
  const reduced = matchMedia("(prefers-reduced-motion: reduce)");

  function skinTable() {
    const [back, palm] = skinColours(tone).map((colour) => new THREE.Color().setRGB(...colour, THREE.SRGBColorSpace).toArray());
    const nail = palm.map((value, k) => 0.6 * value + 0.4 * [0.89, 0.6, 0.57][k]);
    return Float32Array.from({ length: 3 * count }, (_, i) => {
      const [point, k] = [Math.floor(i / 3), i % 3];
      const plain = back[k] + hand.palm[point] * (palm[k] - back[k]);
      return plain + 0.7 * hand.nail[point] * (nail[k] - plain);
    });
  }

  function draw(now) {
    waiting = 0;
    if (gone) return;
    if (frames) {
      clock += Math.min((now - last) / 1000, 0.1) * speed;
      last = now;
      const shown = frameAt(frames, clock, poses.relaxed);
      pose = shown.pose;
      if (shown.letter && (shown.letter !== letter || shown.index !== draw.index)) options.onLetter?.(shown.letter, shown.index);
      [letter, draw.index] = [shown.letter ?? letter, shown.index];
      if (shown.done) { frames = null; options.onDone?.(); } else wake();
    }
    paint();
  }

  function paint() {
    const posed = joints(hand, pose.angles);
    skin(hand, posed, places);
    normals(places, hand.triangles, outwards);
    openness(places, outwards, capsules(posed), sky);
    for (let i = 0; i < count; i += 1) {
      const shade = 0.15 + 0.85 * sky[i] ** 1.6; // colours are linear here
      for (let k = 0; k < 3; k += 1) colours[i * 3 + k] = base[i * 3 + k] * shade;
    }
    for (const name of ["position", "normal", "color"]) geometry.attributes[name].needsUpdate = true;
    mesh.quaternion.set(...pose.turn);
    shifted.position.set(pose.at[0] * LENGTH, pose.at[1] * LENGTH, 0);
    mesh.position.set(0, 0, 0).sub(middle().applyQuaternion(mesh.quaternion));
    turned.rotation.set(pitch, yaw, 0);
    turned.scale.x = left ? -1 : 1;
    renderer.render(scene, camera);
  }

  // of the hand without its forearm
  function middle() {
    const [low, high] = [[9, 9, 9], [-9, -9, -9]];
    for (const i of hand.ours) {
      for (let k = 0; k < 3; k += 1) {
        const value = places[i * 3 + k];
        if (value < low[k]) low[k] = value;
        if (value > high[k]) high[k] = value;
      }
    }
    return new THREE.Vector3(...low.map((value, k) => (value + high[k]) / 2));
  }

  const wake = () => { waiting ||= requestAnimationFrame(draw); };
  const start = (word) => {
    frames = film(word, poses, pose);
    [clock, last, draw.index] = [reduced.matches ? 0.5 : 0, performance.now(), -1];
    wake();
  };

  const size = new ResizeObserver(() => {
    const side = Math.max(1, Math.min(canvas.clientWidth, canvas.clientHeight || canvas.clientWidth));
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    renderer.setSize(side, side, false);
    wake();
  });
  size.observe(canvas);

  let held = null;
  const on = { pointerdown(event) { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); },
    pointermove(event) {
      if (!held) return;
      turnBy(DRAG * (event.clientX - held[0]), DRAG * (event.clientY - held[1]));
      held = [event.clientX, event.clientY];
    },
    pointerup() { held = null; },
    pointercancel() { held = null; },
    dblclick() { [yaw, pitch] = [0, 0]; wake(); },
    keydown(event) {
      const step = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] }[event.key];
      if (event.key === "Home") { [yaw, pitch] = [0, 0]; wake(); } else if (step) turnBy(...step);
      else return;
      event.preventDefault();
    } };
  for (const [name, heard] of Object.entries(on)) canvas.addEventListener(name, heard);

  function turnBy(across, down) {
    yaw += across;
    pitch = Math.max(-1.4, Math.min(1.4, pitch + down));
    wake();
  }

  wake();
  return {
    /** Moves to one letter; J and Z with their movement. */
    setLetter(name) { if (poses[name]) start(name); },
    /** Spells a word; the options' onLetter and onDone tell how far it is. */
    spell: start,
    stop() { frames = null; },
    setTone(value) { tone = value; base = skinTable(); wake(); },
    setMirror(value) { left = value; wake(); },
    setSpeed(value) { speed = value; },
    turnBy,
    letter: () => letter,
    moving: () => frames !== null,
    dispose() {
      gone = true;
      cancelAnimationFrame(waiting);
      size.disconnect();
      for (const [name, heard] of Object.entries(on)) canvas.removeEventListener(name, heard);
      geometry.dispose();
      material.dispose();
      renderer.dispose();
    },
  };
}
