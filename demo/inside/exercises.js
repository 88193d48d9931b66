// What is asked in the station "Exercises", and when an answer is right. `right` gets the answers as they were typed.

const number = (text) => Number(text.replace("−", "-").replaceAll(",", ""));
const plain = (text) => text.replaceAll(/\s/g, "").replaceAll("'", '"').replace(/^self\./, "");
const whole = (text) => /^\d+$/.test(text.trim());

export const EXERCISES = [
  { key: "shuffle", code: "train_loader = DataLoader(train_data, batch_size=32, shuffle=____)\nvalid_loader = DataLoader(valid_data, batch_size=32, shuffle=____)", blanks: [{ label: "train_loader", options: ["True", "False"] }, { label: "valid_loader", options: ["True", "False"] }], right: ([training, validation]) => training === "True" && validation === "False", see: "overfitting" },
  { key: "modes", code: "def train():\n    model.____()\n\ndef validate():\n    model.____()", blanks: [{ label: "train()", options: ["train", "eval"] }, { label: "validate()", options: ["train", "eval"] }], right: ([first, second]) => first === "train" && second === "eval", see: "modes" },
  {
    key: "dataset",
    code: "class MyDataset(Dataset):\n    def __init__(self, frame):\n        values = frame.drop(columns=\"label\").values / 255\n        self.xs = torch.tensor(values).float().reshape(-1, 1, 28, 28)\n        self.ys = torch.tensor(frame[\"label\"].values)\n\n    def __getitem__(self, idx):\n        return ____, ____\n\n    def ____(self):\n        return ____",
    blanks: [{ label: "x =" }, { label: "y =" }, { label: "def" }, { label: "return" }],
    right: ([x, y, length, count]) => plain(x) === "xs[idx]" && plain(y) === "ys[idx]" && ["__len__", "__len__(self)"].includes(plain(length)) && ["len(self.xs)", "len(xs)", "len(self.ys)", "len(ys)", "xs.shape[0]", "len(xs)"].includes(plain(count)),
    see: "numbers",
  },
  { key: "seven", blanks: [{ label: "kernel" }, { label: "stride" }, { label: "padding" }], right: ([kernel, stride, padding], size) => [kernel, stride, padding].every(whole) && number(kernel) >= 1 && number(stride) >= 1 && size(28, number(kernel), number(stride), number(padding)) === 7, see: "convolution" },
  { key: "same", blanks: [{ label: "padding =" }], right: ([padding]) => number(padding) === 2, see: "convolution" },
  { key: "weights", blanks: [{}], right: ([count]) => number(count) === 18496, see: "channels" },
  { key: "flatten", blanks: [{}], right: ([count]) => number(count) === 3136, see: "scores" },
  { key: "asl", blanks: [{}], right: ([side]) => number(side) === 3, see: "maps" },
  { key: "reshape", blanks: [{ options: ["(5, 1, 28, 28)", "(1, 5, 28, 28)", "(5, 28, 28, 1)"] }], right: ([shape]) => shape === "(5, 1, 28, 28)", see: "numbers" },
  { key: "field", blanks: [{}], right: ([size]) => number(size) === 5, see: "maps" },
  { key: "relu", blanks: [{ options: ["0", "−3", "3"] }], right: ([value]) => value === "0", see: "pooling" },
  { key: "negative", blanks: [{}], right: ([value]) => number(value) === -1, see: "convolution" },
  { key: "overfit", blanks: [{ options: ["A", "B", "C"] }], right: ([run]) => run === "B", see: "overfitting" },
];
