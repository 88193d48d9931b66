// The hand as geometry: the same joints, skin and shade as in train/render, in metres; x to the thumb, y along the
// fingers, z out of the palm. A rigid motion is an array of 12 numbers: three rows of a rotation and a shift.

export const FINGERS = ["thumb", "index", "middle", "ring", "little"];
const CHAINS = { thumb: [1, 2, 3, 4], index: [5, 6, 7, 8, 9], middle: [10, 11, 12, 13, 14], ring: [15, 16, 17, 18, 19], little: [20, 21, 22, 23, 24] };
const FOREARM = 25;
const PALM = [5, 10, 15, 20];
const RADII = { 1: 0.0115, 2: 0.009, 3: 0.0085, 5: 0.0125, 6: 0.0087, 7: 0.0077, 8: 0.0067, 10: 0.0125, 11: 0.0087, 12: 0.008, 13: 0.007,
  15: 0.012, 16: 0.008, 17: 0.0074, 18: 0.0065, 20: 0.0115, 21: 0.0073, 22: 0.0066, 23: 0.0059 };
const LAST = { 3: 1.12, 8: 1.36, 13: 1.4, 18: 1.42, 23: 1.32 }; // the flesh of a tip goes beyond its joint
const BONES = Object.keys(RADII).map(Number);
const FOLLOWED = 5; // joints that a point follows at most
const THICK = 0.0012; // metres that the model's slim digits gain all around

/** a after b: two motions as one. */
function times(a, b) {
  const out = new Array(12);
  for (let row = 0; row < 3; row += 1) {
    for (let column = 0; column < 4; column += 1) {
      let sum = column === 3 ? a[row * 4 + 3] : 0;
      for (let k = 0; k < 3; k += 1) sum += a[row * 4 + k] * b[k * 4 + column];
      out[row * 4 + column] = sum;
    }
  }
  return out;
}

function inverse(m) {
  const out = new Array(12);
  for (let row = 0; row < 3; row += 1) {
    for (let column = 0; column < 3; column += 1) out[row * 4 + column] = m[column * 4 + row];
    out[row * 4 + 3] = -(m[row] * m[3] + m[4 + row] * m[7] + m[8 + row] * m[11]);
  }
  return out;
}

/** The turn of one joint in its own axes, in degrees. */
function bent(bend, spread, twist) {
  const [b, s, t] = [-bend, spread, twist].map((angle) => (angle * Math.PI) / 180);
  const across = [1, 0, 0, 0, 0, Math.cos(b), -Math.sin(b), 0, 0, Math.sin(b), Math.cos(b), 0];
  const upright = [Math.cos(s), 0, Math.sin(s), 0, 0, 1, 0, 0, -Math.sin(s), 0, Math.cos(s), 0];
  const along = [Math.cos(t), -Math.sin(t), 0, 0, Math.sin(t), Math.cos(t), 0, 0, 0, 0, 1, 0];
  return times(upright, times(across, along));
}

/**
 * A hand from the bytes of assets/hand/right.glb, with a forearm: points, triangles, the joints at rest, which of them
 * each point follows and by which share, which points are the hand's own, and what is palm and nail, 0..1.
 */
export function readHand(bytes) {
  const file = readGlb(bytes);
  const inverses = file.table(file.header.skins[0].inverseBindMatrices);
  const rest = [];
  for (let joint = 0; joint < 25; joint += 1) {
    const m = [0, 1, 2].flatMap((row) => [0, 1, 2, 3].map((column) => inverses[joint * 16 + column * 4 + row]));
    const back = inverse(m);
    rest.push([8, 4, 0].flatMap((row) => [0, 1, 2, 3].map((column) => -back[row + column]))); // the file's axes to ours
  }
  rest.push([...rest[0]]);
  const { points, weights, triangles } = weld(file, rest[0][7]);
  thicken(points, weights, triangles);
  const whole = addForearm(points, weights, triangles, rest[0]);
  const steps = rest.map(() => null);
  for (const chain of Object.values(CHAINS)) chain.slice(1).forEach((joint, i) => { steps[joint] = times(inverse(rest[chain[i]]), rest[joint]); });
  const outwards = normals(whole.points, whole.triangles);
  const palm = Float32Array.from({ length: outwards.length / 3 }, (_, i) => smooth(0.5 + 0.9 * outwards[i * 3 + 2]));
  const followed = Uint8Array.from(whole.weights.flatMap((own) => Array.from({ length: FOLLOWED }, (_, k) => own[k]?.[0] ?? 0)));
  const shares = Float32Array.from(whole.weights.flatMap((own) => Array.from({ length: FOLLOWED }, (_, k) => own[k]?.[1] ?? 0)));
  const ours = [...whole.weights.keys()].filter((i) => !whole.weights[i].some(([joint, share]) => joint === FOREARM && share > 0.5));
  return { ...whole, followed, shares, ours, rest, steps, back: rest.map(inverse), palm, nail: nails(whole, rest) };
}

const smooth = (x) => { const c = Math.min(1, Math.max(0, x)); return c * c * (3 - 2 * c); };

function readGlb(bytes) {
  const length = new DataView(bytes).getUint32(12, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 20, length)));
  const kinds = { 5126: Float32Array, 5121: Uint8Array, 5123: Uint16Array };
  const widths = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
  return { header, table(number) {
    const { bufferView, byteOffset = 0, componentType, count, type } = header.accessors[number];
    const start = 28 + length + (header.bufferViews[bufferView].byteOffset ?? 0) + byteOffset;
    const Kind = kinds[componentType];
    const size = count * widths[type];
    return new Kind(bytes.slice(start, start + size * Kind.BYTES_PER_ELEMENT));
  } };
}

/** Points that differ in their texture only become one; behind the wrist the skin follows the forearm. */
function weld(file, wrist) {
  const { attributes, indices } = file.header.meshes[0].primitives[0];
  const [places, joints, shares] = [attributes.POSITION, attributes.JOINTS_0, attributes.WEIGHTS_0].map(file.table);
  const [known, points, weights, names] = [new Map(), [], [], []];
  for (let i = 0; i < places.length / 3; i += 1) {
    const [x, y, z] = [-places[i * 3 + 2], -places[i * 3 + 1], -places[i * 3]];
    const key = [x, y, z].map((value) => value.toFixed(6)).join();
    if (!known.has(key)) {
      known.set(key, points.length);
      points.push([x, y, z]);
      const arm = Math.min(1, Math.max(0, (wrist + 0.012 - y) / 0.03));
      const own = [0, 1, 2, 3].map((k) => [joints[i * 4 + k], shares[i * 4 + k]]).filter(([, share]) => share > 0);
      const sum = own.reduce((all, [, share]) => all + share, 0);
      weights.push([...own.map(([joint, share]) => [joint, (share / sum) * (1 - arm)]), [FOREARM, arm]].filter(([, share]) => share > 0));
    }
    names.push(known.get(key));
  }
  const triangles = [];
  const corners = file.table(indices);
  for (let i = 0; i < corners.length; i += 3) triangles.push([names[corners[i]], names[corners[i + 1]], names[corners[i + 2]]]);
  return { points, weights, triangles };
}

function thicken(points, weights, triangles) {
  const outwards = normals(points.flat(), triangles.flat());
  points.forEach((point, i) => {
    const digit = weights[i].reduce((sum, [joint, share]) => sum + ([0, FOREARM, ...PALM, 1].includes(joint) ? 0 : share), 0);
    for (let k = 0; k < 3; k += 1) point[k] += THICK * digit * outwards[i * 3 + k];
  });
}

/** The end behind the wrist is replaced by a tapered tube to the elbow. */
function addForearm(points, weights, triangles, wrist, rings = 16, length = 0.3) {
  const kept = triangles.filter((corners) => corners.every((corner) => points[corner][1] > wrist[7] - 0.014));
  const edges = new Set(kept.flatMap(([a, b, c]) => [`${a},${b}`, `${b},${c}`, `${c},${a}`]));
  const follows = new Map();
  for (const edge of edges) {
    const [a, b] = edge.split(",").map(Number);
    if (!edges.has(`${b},${a}`)) follows.set(a, b);
  }
  const loop = [follows.keys().next().value];
  while (follows.get(loop.at(-1)) !== loop[0]) loop.push(follows.get(loop.at(-1)));
  const level = loop.reduce((sum, i) => sum + points[i][1], 0) / loop.length;
  let before = loop;
  for (let ring = 1; ring < rings; ring += 1) {
    const far = (ring / (rings - 1)) ** 1.5 * length;
    const [wide, deep] = [0.5, 0.85].map((more) => 1 + more * Math.min(far / 0.2, 1) ** 1.3);
    const flat = Math.min(far / 0.02, 1);
    const now = loop.map((i) => {
      const [x, y, z] = points[i];
      points.push([wrist[3] + wide * (x - wrist[3]), (1 - flat) * y + flat * level - far, wrist[11] + deep * (z - wrist[11])]);
      weights.push([[FOREARM, 1]]);
      return points.length - 1;
    });
    before.forEach((a, i) => {
      const [b, c, d] = [before[(i + 1) % loop.length], now[(i + 1) % loop.length], now[i]];
      kept.push([b, a, d], [b, d, c]);
    });
    before = now;
  }
  return { points: Float32Array.from(points.flat()), weights, triangles: Uint16Array.from(kept.flat()) };
}

function nails({ points, weights }, rest) {
  const out = new Float32Array(weights.length);
  for (const chain of Object.values(CHAINS)) {
    const last = chain.at(-2);
    const m = inverse(rest[last]);
    const ours = [...weights.keys()].filter((i) => weights[i].some(([joint, share]) => joint === last && share > 0.6));
    const local = ours.map((i) => moved(m, points, i));
    const length = Math.max(...local.map(([, , z]) => -z));
    local.forEach(([x, y, z], i) => { if (y > 0.0028 && -z > 0.45 * length && Math.abs(x) < 0.0056) out[ours[i]] = 1; });
  }
  return out;
}

function moved(m, points, i) {
  const [x, y, z] = points.subarray(i * 3, i * 3 + 3);
  return [0, 4, 8].map((row) => m[row] * x + m[row + 1] * y + m[row + 2] * z + m[row + 3]);
}

/** Where the 26 joints are. `angles`: for each finger [bend, bend, bend, spread, twist], "wrist" [bend, deviation], in degrees. */
export function joints(hand, angles) {
  const out = [...hand.rest];
  for (const [name, chain] of Object.entries(CHAINS)) {
    const [first, second, third, spread, twist] = angles[name];
    const moving = name === "thumb" ? chain.slice(0, 3) : chain.slice(1, 4);
    chain.forEach((joint, i) => {
      if (i > 0) out[joint] = times(out[chain[i - 1]], hand.steps[joint]);
      const which = moving.indexOf(joint);
      if (which === 0) out[joint] = times(out[joint], bent(first, spread, twist));
      if (which > 0) out[joint] = times(out[joint], bent(which === 1 ? second : third, 0, 0));
    });
  }
  out[FOREARM] = times(hand.rest[FOREARM], bent(-angles.wrist[0], -angles.wrist[1], 0));
  return out;
}

/** The skin's points for posed joints, three numbers a point, written into `out`. */
export function skin(hand, posed, out = new Float32Array(hand.points.length)) {
  const motions = Float32Array.from(posed.flatMap((joint, i) => times(joint, hand.back[i])));
  const { points, followed, shares } = hand;
  out.fill(0);
  for (let i = 0, p = 0; p < points.length; p += 3) {
    const [x, y, z] = [points[p], points[p + 1], points[p + 2]];
    for (let k = 0; k < FOLLOWED; k += 1, i += 1) {
      const [share, m] = [shares[i], followed[i] * 12];
      if (share === 0) continue;
      for (let row = 0, at = m; row < 3; row += 1, at += 4) out[p + row] += share * (motions[at] * x + motions[at + 1] * y + motions[at + 2] * z + motions[at + 3]);
    }
  }
  return out;
}

/** Directions outwards, means over the faces around each point, weighted by their area. */
export function normals(points, triangles, out = new Float32Array(points.length)) {
  out.fill(0);
  for (let i = 0; i < triangles.length; i += 3) {
    const [a, b, c] = [triangles[i] * 3, triangles[i + 1] * 3, triangles[i + 2] * 3];
    const [ux, uy, uz] = [points[b] - points[a], points[b + 1] - points[a + 1], points[b + 2] - points[a + 2]];
    const [vx, vy, vz] = [points[c] - points[a], points[c + 1] - points[a + 1], points[c + 2] - points[a + 2]];
    const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) { out[corner] += x; out[corner + 1] += y; out[corner + 2] += z; }
  }
  for (let i = 0; i < out.length; i += 3) {
    const length = Math.hypot(out[i], out[i + 1], out[i + 2]) || 1;
    out[i] /= length; out[i + 1] /= length; out[i + 2] /= length;
  }
  return out;
}

/** Both ends of each bone, with its radius: for shade, and for tests. */
export function capsules(posed) {
  return BONES.map((bone) => {
    const [from, to] = [posed[bone], posed[bone + 1]].map((m) => [m[3], m[7], m[11]]);
    const reach = LAST[bone] ?? (PALM.includes(bone) ? 0.85 : 1);
    return { from, along: to.map((value, k) => reach * (value - from[k])), radius: RADII[bone] };
  });
}

/** How much of the sky each point sees past the bones, 0..1, as train/render/capsules.py has it. */
export function openness(points, outwards, bones, out = new Float32Array(points.length / 3)) {
  out.fill(1);
  for (const { from: [fx, fy, fz], along: [ax, ay, az], radius } of bones) {
    const square = ax * ax + ay * ay + az * az;
    for (let i = 0, p = 0; i < out.length; i += 1, p += 3) {
      const [ox, oy, oz] = [points[p] - fx, points[p + 1] - fy, points[p + 2] - fz];
      const t = Math.min(1, Math.max(0, (ox * ax + oy * ay + oz * az) / square));
      const [x, y, z] = [t * ax - ox, t * ay - oy, t * az - oz];
      const distance = Math.max(Math.sqrt(x * x + y * y + z * z), 1e-6);
      const facing = (x * outwards[p] + y * outwards[p + 1] + z * outwards[p + 2]) / distance;
      if (facing > 0) out[i] *= 1 - 0.75 * Math.min(1, facing * (radius / Math.max(distance, radius)) ** 2);
    }
  }
  return out;
}
