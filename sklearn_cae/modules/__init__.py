"""Networks as plain ``nn.Module`` classes: the paper's, and similar ones for vectors."""

from ._heads import ConditionalDecoder, ProjectionHead
from ._images import DeepDecoder, Encoder, UnpooledEncoder, image_decoder
from ._linear import LinearDecoder
from ._log_scattering import FirstOrderScattering, LogScattering
from ._scattering import Scattering
from ._vectors import VectorEncoder, vector_decoder

__all__ = [
    "ConditionalDecoder",
    "DeepDecoder",
    "Encoder",
    "FirstOrderScattering",
    "LinearDecoder",
    "LogScattering",
    "ProjectionHead",
    "Scattering",
    "UnpooledEncoder",
    "VectorEncoder",
    "image_decoder",
    "vector_decoder",
]
