"""Stain augmentation: tiles as another laboratory might have stained them."""

import torch
from torch import Tensor, nn

from histocli.stain.conventions import find_convention
from histocli.stain.macenko import concentration_matrix
from histocli.stain.macenko_normalizer import MacenkoNormalizer
from histocli.stain.optical_density import optical_density
from histocli.stain.reference import PUBLISHED_REFERENCE
from histocli.stain.statistics import combine_channels
from histocli.stain.status import StainStatus
from histocli.stain.tissue import tissue_mask

# Numbers drawn for each tile: a factor and a shift for each of the two stains.
DRAWS = 4


def perturb_concentrations(
    tiles: Tensor, factors: Tensor, shifts: Tensor, convention: str = "torchstain"
) -> Tensor:
    """Make each stain of a tile stronger or weaker: ``c * factor + shift * maximum``.

    The stains are the tile's own by Macenko's method, or the published ones where it has no usable
    estimate. What neither stain explains is kept, so factors of one and shifts of zero change nothing.
    Glass stays glass: a blank tile is left alone, and only tissue is shifted.

    Args:
        tiles: Floats in [0, 1], shape ``(N, 3, H, W)``.
        factors: On the concentrations of hematoxylin and eosin, shape ``(N, 2)``.
        shifts: As a share of the tile's maximum concentrations, shape ``(N, 2)``.
        convention: Whose constants.

    Returns:
        Floats in [0, 1], shape ``(N, 3, H, W)``.
    """
    constants = find_convention(convention)
    normalizer = MacenkoNormalizer(convention)
    estimate = normalizer.estimate((tiles.detach() * 255).round().clamp(0, 255).to(torch.uint8))
    usable = estimate.usable.to(tiles.device)
    published = torch.tensor(PUBLISHED_REFERENCE.stain_matrix, dtype=tiles.dtype)
    matrices = torch.where(
        usable[:, None, None], estimate.stain_matrices.to(tiles), published.to(tiles)
    )
    published_maxima = torch.tensor(PUBLISHED_REFERENCE.maximum_concentrations, dtype=tiles.dtype)
    maxima = torch.where(
        usable[:, None], estimate.maximum_concentrations.to(tiles), published_maxima.to(tiles)
    )
    grey = tiles.flatten(2) * 255
    density = optical_density(grey, constants)
    tissue = tissue_mask(grey, density, constants)
    inverse = concentration_matrix(matrices.mT)
    change = matrices @ ((factors - 1)[:, :, None] * inverse)
    shift = (matrices @ (shifts * maxima)[:, :, None]) * tissue[:, None, :]
    density = density + combine_channels(change, density) + shift
    light = constants.transmitted_light * torch.exp(-density) - constants.offset
    light = light.clamp(0, 255)
    blank = (estimate.status_codes == StainStatus.BLANK).to(tiles.device)
    light = torch.where(blank[:, None, None], grey, light)
    return (light / 255).reshape(tiles.shape)


class StainAugmentation(nn.Module):
    """Perturb the concentrations of hematoxylin and eosin at random, each tile in its own way.

    Args:
        factor: Each concentration is multiplied by 1 - factor to 1 + factor.
        shift: Each is moved by up to this share of its maximum.
        p: Probability that a tile is perturbed at all.
        same_on_batch: Perturb all tiles of a batch alike.
        convention: Whose constants.

    Source:
        Tellez et al., IEEE TMI 2018, who perturb a fixed color deconvolution; here the stains are each
        tile's own.
    """

    def __init__(
        self,
        factor: float = 0.2,
        shift: float = 0.05,
        p: float = 0.5,
        *,
        same_on_batch: bool = False,
        convention: str = "torchstain",
    ) -> None:
        super().__init__()
        if not 0 <= factor < 1 or shift < 0 or not 0 <= p <= 1:
            raise ValueError("factor lies in [0, 1), shift is not negative, p lies in [0, 1]")
        find_convention(convention)
        self.factor = factor
        self.shift = shift
        self.p = p
        self.same_on_batch = same_on_batch
        self.convention = convention

    def draw(self, tiles: int, generator: torch.Generator | None = None) -> Tensor:
        """Uniform numbers in [0, 1): what to do with each tile, shape ``(N, 1 + DRAWS)``."""
        rows = 1 if self.same_on_batch else tiles
        return torch.rand(rows, 1 + DRAWS, generator=generator).expand(tiles, -1)

    def forward(self, tiles: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Perturb floats in [0, 1], shape ``(N, 3, H, W)``.

        Args:
            tiles: The tiles.
            numbers: From ``draw``; drawn from torch's global generator when None.
        """
        numbers = self.draw(len(tiles)) if numbers is None else numbers
        numbers = numbers.to(tiles)
        spread = 2 * numbers[:, 1:] - 1
        chosen = (numbers[:, :1] < self.p).to(tiles.dtype)
        factors = 1 + self.factor * spread[:, :2] * chosen
        shifts = self.shift * spread[:, 2:] * chosen
        return perturb_concentrations(tiles, factors, shifts, self.convention)
