// The stations in the order of the line: from the picture to the answer, then how it is learned and kept.

import * as numbers from "./stations/numbers.js";
import * as convolution from "./stations/convolution.js";
import * as channels from "./stations/channels.js";
import * as pooling from "./stations/pooling.js";
import * as maps from "./stations/maps.js";
import * as scores from "./stations/scores.js";
import * as modes from "./stations/modes.js";
import * as learning from "./stations/learning.js";
import * as overfitting from "./stations/overfitting.js";
import * as checkpoint from "./stations/checkpoint.js";
import * as exercises from "./stations/exercises.js";

export const STATIONS = [numbers, convolution, channels, pooling, maps, scores, modes, learning, overfitting, checkpoint, exercises];
