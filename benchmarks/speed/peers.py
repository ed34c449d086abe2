"""The same network, trained with other libraries, one epoch at a time.

Every peer has the views, loss, optimiser, batches and network of the warm-up, in the style of its
own documentation. Each is a class with ``epoch()``, which trains one epoch and returns its seconds.
"""

import time

import kornia.augmentation as K
import torch
from lightly.loss import NTXentLoss
from lightly.transforms import SimCLRTransform
from lightly.utils.lars import LARS as LightlyLARS
from PIL import Image
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

from benchmarks.speed.bare import SHAPE, Networks, autocast, warm_up_loss
from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae.optim import LARS

BATCH_SIZE = 256
FLIPS = {"paper": 0.5, "digits": 0.0}


class EpochTimer(Callback):
    """Call `before` ahead of each epoch, and `after` with its seconds."""

    def __init__(self, before, after):
        self.before = before
        self.after = after

    def on_epoch_begin(self, net, **kwargs):
        self.before()
        self.started_ = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        self.after(time.perf_counter() - self.started_)


def time_epochs(X, *, before=lambda: None, **params):
    """Fit our estimator; return it, and the seconds of each epoch."""
    seconds = []
    timer = EpochTimer(lambda: before(), lambda epoch: seconds.append(epoch))
    return ContrastiveAutoencoderClusterer(callbacks=[timer], **params).fit(X), seconds


class Ours:
    """The warm-up of our `fit`; `views` may be a callable."""

    def __init__(self, X, views, precision):
        self.X = X
        self.params = {
            "n_clusters": 2,
            "warm_up_epochs": 1,
            "conditioning_epochs": 0,
            "batch_size": BATCH_SIZE,
            "augmentation": views,
            "precision": precision,
            "device": "cpu",  # as for the peers
        }

    def epoch(self):
        _, (seconds,) = time_epochs(self.X, **self.params)
        return seconds


class Kornia(Ours):
    """The batched augmentations of kornia in our loop."""

    def __init__(self, X, views, precision):
        super().__init__(X, kornia_views(views), precision)


def kornia_views(views):
    return torch.nn.Sequential(
        K.RandomRotation(30.0, p=0.5),
        K.RandomResizedCrop(SHAPE[1:], scale=(0.5, 1.0), ratio=(1.0, 1.0), p=0.5),
        K.RandomHorizontalFlip(p=FLIPS[views]),
        K.RandomGaussianBlur((5, 5), (0.1, 1.0), p=0.5),
        K.RandomGaussianNoise(std=0.05, p=0.5),
    )


def add_noise(image):
    level = 0.1 * torch.rand(())
    return (image + level * torch.randn(image.shape)).clamp(0, 1)


def torchvision_pair(views):
    one = torchvision_views(views)
    return lambda image: (one(image), one(image))


def torchvision_views(views):
    return T.Compose(
        [
            T.RandomApply([T.RandomRotation(30)]),
            T.RandomApply([T.RandomResizedCrop(SHAPE[1:], scale=(0.5, 1.0), ratio=(1.0, 1.0))]),
            T.RandomHorizontalFlip(FLIPS[views]),
            T.RandomApply([T.GaussianBlur(5, (0.1, 1.0))]),
            T.ToTensor(),
            T.RandomApply([add_noise]),
        ]
    )


class TwoViews(Dataset):
    """Images whose two views are made per image, on access."""

    def __init__(self, X, transform):
        self.X = X
        self.transform = transform

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.X[index]))


class TorchvisionLoader:
    """A data set with torchvision's transforms, a data loader, a loop in plain PyTorch."""

    def __init__(self, X, views, precision, n_workers=0):
        self.loader = DataLoader(
            TwoViews(X, self.transform(views)),
            batch_size=BATCH_SIZE,
            shuffle=True,
            drop_last=True,
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
        )
        self.precision = precision
        self.networks = Networks()
        self.optimizer = LARS(self.networks.parameters(), lr=0.01)

    @staticmethod
    def transform(views):
        return torchvision_pair(views)

    def epoch(self):
        started = time.perf_counter()
        for view_a, view_b in self.loader:
            views = torch.cat([view_a, view_b])
            with autocast(self.precision):
                projection, reconstruction = self.networks(views)
            loss = warm_up_loss(projection, reconstruction, views)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - started


class Lightly(TorchvisionLoader):
    """The transform, loss, optimiser and loop of lightly's SimCLR example."""

    def __init__(self, X, views, precision, n_workers=0):
        super().__init__(X, views, precision, n_workers)
        self.criterion = NTXentLoss(temperature=0.5)
        self.optimizer = LightlyLARS(self.networks.parameters(), lr=0.01, momentum=0.9)

    @staticmethod
    def transform(views):
        return SimCLRTransform(
            input_size=SHAPE[1],
            cj_prob=0.0,
            min_scale=0.5,
            random_gray_scale=0.0,
            sigmas=(0.1, 1.0),
            hf_prob=FLIPS[views],
            rr_prob=0.5,
            rr_degrees=30.0,
            normalize=None,
        )

    def epoch(self):
        started = time.perf_counter()
        for view_a, view_b in self.loader:
            with autocast(self.precision):
                projection_a, reconstruction_a = self.networks(view_a)
                projection_b, reconstruction_b = self.networks(view_b)
            loss = self.criterion(projection_a.float(), projection_b.float())
            for reconstruction, view in ((reconstruction_a, view_a), (reconstruction_b, view_b)):
                loss += 0.1 * torch.nn.functional.mse_loss(reconstruction.float(), view)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        return time.perf_counter() - started


class StackedViews(TwoViews):
    """Items as skorch expects them: one X and one y."""

    def __getitem__(self, index):
        return torch.stack(super().__getitem__(index)), 0


class ContrastiveNet(NeuralNet):
    """skorch's default net with our forward pass and loss."""

    def __init__(self, module, *, precision, **kwargs):
        super().__init__(module, **kwargs)
        self.precision = precision

    def infer(self, x, **fit_params):
        with autocast(self.precision):
            return self.module_(x.transpose(0, 1).flatten(0, 1))

    def get_loss(self, y_pred, y_true, X=None, training=False):
        projection, reconstruction = y_pred
        return warm_up_loss(projection, reconstruction, X.transpose(0, 1).flatten(0, 1))


class SkorchDefault:
    """skorch's default net without a validation split, because our `fit` has none."""

    def __init__(self, X, views, precision):
        self.dataset = StackedViews(X, torchvision_pair(views))
        self.net = ContrastiveNet(
            Networks,
            precision=precision,
            criterion=torch.nn.MSELoss,
            optimizer=LARS,
            lr=0.01,
            batch_size=BATCH_SIZE,
            max_epochs=1,
            train_split=None,
            verbose=0,
        ).initialize()

    def epoch(self):
        started = time.perf_counter()
        self.net.partial_fit(self.dataset, y=None)
        return time.perf_counter() - started
