"""An encoder, a head, a loss and a transform of your own; importing this package registers them."""

from .encoder import TinyPointNet
from .head import AgreementHead
from .loss import CrossCorrelationLoss
from .transform import CutByPlane

__all__ = ['AgreementHead', 'CrossCorrelationLoss', 'CutByPlane', 'TinyPointNet']
