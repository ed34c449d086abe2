"""The parts that the networks of images and of vectors share: projection head and decoder."""

from torch import Tensor, nn

HIDDEN_DIM = 128


class ProjectionHead(nn.Sequential):
    """The paper's projection head, from the embedding to the input of the NT-Xent loss.

    The paper describes it as "MLP with three layers". Here it is Linear-BatchNorm-ReLU twice, then
    Linear, and each layer has 128 units.

    Parameters
    ----------
    embedding_dim : int, default=128
        Number of dimensions of the embedding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import ProjectionHead
    >>> ProjectionHead(64)(torch.zeros(2, 64)).shape
    torch.Size([2, 128])
    """

    def __init__(self, embedding_dim: int = 128) -> None:
        super().__init__(
            nn.Linear(embedding_dim, HIDDEN_DIM),
            nn.BatchNorm1d(HIDDEN_DIM),
            nn.ReLU(),
            nn.Linear(HIDDEN_DIM, HIDDEN_DIM),
            nn.BatchNorm1d(HIDDEN_DIM),
            nn.ReLU(),
            nn.Linear(HIDDEN_DIM, HIDDEN_DIM),
        )


class ConditionalDecoder(nn.Module):
    """Decoder with an optional second input, the soft assignment to the prototypes.

    In phase two, the paper adds "layers that take the soft assignment" to the decoder. Here this is
    one linear layer. Its output is added to the output of `stem`, the first feature map. The layer
    starts at zero, so that phase two starts with the decoder of the warm-up.

    Parameters
    ----------
    stem : nn.Module
        Network from embeddings (n_samples, embedding_dim) to the first feature map
        (n_samples, ...).
    body : nn.Module
        Network from the first feature map to samples.
    n_map_features : int
        Size of the first feature map of one sample.

    Attributes
    ----------
    condition : nn.Linear or None
        Layer for the soft assignment. It is None before `add_condition`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import image_decoder
    >>> decoder = image_decoder((1, 28, 28))
    >>> decoder.add_condition(n_clusters=3)
    >>> decoder(torch.zeros(2, 128), torch.eye(3)[:2]).shape
    torch.Size([2, 1, 28, 28])
    """

    condition: nn.Linear | None

    def __init__(self, stem: nn.Module, body: nn.Module, n_map_features: int) -> None:
        super().__init__()
        self.stem = stem
        self.body = body
        self.n_map_features = n_map_features
        self.condition = None

    def add_condition(self, n_clusters: int) -> None:
        """Add the layer for the soft assignment, with weights of zero.

        Parameters
        ----------
        n_clusters : int
            Number of prototypes.
        """
        # skip_init draws no random numbers, which a layer of zeros does not need.
        self.condition = nn.utils.skip_init(nn.Linear, n_clusters, self.n_map_features, bias=False)
        nn.init.zeros_(self.condition.weight)

    def forward(self, embedding: Tensor, soft_assignment: Tensor | None = None) -> Tensor:
        """Decode embeddings.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, embedding_dim)
        soft_assignment : Tensor of shape (n_samples, n_clusters), default=None
            Soft assignments, required after `add_condition` and not used before.

        Returns
        -------
        samples : Tensor of shape (n_samples, ...)
        """
        first_map = self.stem(embedding)
        if self.condition is not None:
            first_map = first_map + self.condition(soft_assignment).view_as(first_map)
        return self.body(first_map)
