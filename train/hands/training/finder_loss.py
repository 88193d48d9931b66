"""The losses that the finder's two heads are trained to make small."""

import torch
from torch import Tensor
from torch.nn import functional as F

from train.hands.finder import CELL, VIEW_SIDE
from train.hands.finder_network import boxes_of, closer_boxes_of

CELLS = VIEW_SIDE // CELL


def first_loss(answers: Tensor, boxes: Tensor) -> Tensor:
    """How wrong answers (N, 5, 12, 12) are for boxes (N, 4): focal loss (Lin et al. 2017) and the boxes' overlap."""
    left, top, right, bottom = (side.view(-1, 1, 1) for side in boxes.unbind(1))
    place = CELL * (torch.arange(CELLS) + 0.5)
    off_x = (place.view(1, 1, -1) - (left + right) / 2) / (right - left).clamp(min=CELL)
    off_y = (place.view(1, -1, 1) - (top + bottom) / 2) / (bottom - top).clamp(min=CELL)
    off = (off_x**2 + off_y**2).sqrt().nan_to_num(9.0)  # in boxes, from the middle
    nearest = off == off.flatten(1).amin(1).view(-1, 1, 1)
    inside = (off < 0.25) | (nearest & (off < 2))
    judged = inside | (off > 0.45)  # in between either answer is fine
    logits = answers[:, 0]
    wrong = torch.where(inside, 1 - logits.sigmoid(), logits.sigmoid())
    focal = wrong**2 * F.binary_cross_entropy_with_logits(logits, inside.float(), reduction="none") * judged
    best = logits.flatten(1).amax(1)
    present = F.binary_cross_entropy_with_logits(best, (~boxes[:, 0].isnan()).float())
    said = boxes_of(answers).permute(0, 2, 3, 1)[inside]
    true = boxes.view(-1, 1, 1, 4).expand(-1, CELLS, CELLS, -1)[inside]
    return focal.sum() / inside.sum().clamp(min=1) + 0.5 * present + (1 - generalised_iou(said, true)).mean()


def second_loss(answers: Tensor, boxes: Tensor) -> Tensor:
    """How wrong the second look's answers (N, 5) are for boxes (N, 4) in the view, NaN where there is no hand."""
    hand = ~boxes[:, 0].isnan()
    present = F.binary_cross_entropy_with_logits(answers[:, 0], hand.float())
    return present + 2 * (1 - generalised_iou(closer_boxes_of(answers)[hand], boxes[hand])).mean()


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Boxes' intersection over union, less the share of the box around both that neither fills: -1..1.

    It has a gradient even where two boxes do not touch, so that training can bring them together (Rezatofighi et al.,
    2019).
    """
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return shared / union - (around - union) / around
