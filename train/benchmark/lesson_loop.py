"""The lesson's training loop as the lesson has it, to measure ours against. Nothing else uses it."""

import time

import torch
from torch import nn
from torch.utils.data import DataLoader, random_split

from train.data import mnist
from train.data.cache import cache_folder
from train.learn.networks import MnistCNN

BATCH = 64


class LessonLoop:
    """MNIST through torchvision's transforms and a DataLoader, image by image; Adam; float32; each loss read."""

    def __init__(self, device: str = "cpu"):
        from torchvision import transforms
        from torchvision.datasets import MNIST

        mnist.load(train=True)  # makes sure that the files are in the cache
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
        training, _ = random_split(MNIST(cache_folder() / "mnist", train=True, transform=transform), [0.8, 0.2])
        self.loader = DataLoader(training, batch_size=BATCH, shuffle=True)
        self.device, self.model = device, MnistCNN().to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.001)

    def seconds(self, steps: int) -> float:
        """Train so many steps, at most an epoch; returns how long they took."""
        batches = iter(self.loader)
        self.model.train()
        loss_sum = correct = 0
        started = time.perf_counter()
        for _ in range(steps):
            images, labels = next(batches)
            images, labels = images.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            outputs = self.model(images)
            loss = self.criterion(outputs, labels)
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.item()
            correct += (outputs.argmax(1) == labels).sum().item()
        return time.perf_counter() - started
