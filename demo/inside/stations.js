// The stations in the order of the line: from the picture to the answer, then how it is learned and kept.

import * as convolution from "./stations/convolution.js";
import * as maps from "./stations/maps.js";

export const STATIONS = [convolution, maps];
