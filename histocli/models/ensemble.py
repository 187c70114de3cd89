"""Several trained models that answer as one: the mean of their probabilities."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from histocli.errors import InputError
from histocli.models.classifier import ModelCard, TileClassifier


class EnsembleClassifier(TileClassifier):
    """Members that share classes and stain normalisation; each resizes and standardises for itself."""

    def __init__(self, members: Sequence[TileClassifier], cards: Sequence[ModelCard]) -> None:
        """See the class.

        Raises:
            InputError: If the members cannot answer as one.
        """
        nn.Module.__init__(self)
        if not members:
            raise InputError("an ensemble needs at least one member; train again")
        for card in cards[1:]:
            for name in ("classes", "positive_class", "stain", "trained_on_normalized"):
                mine, first = getattr(card, name), getattr(cards[0], name)
                if mine != first:
                    raise InputError(
                        f"the members of an ensemble differ in {name}: {first}, {mine}"
                    )
        self.classes = cards[0].classes
        self.stain = members[0].stain
        self.standardization = members[0].standardization
        self.members = nn.ModuleList(members)

    def classify(self, prepared: Tensor) -> Tensor:
        """Logarithm of the mean probability, which softmax turns back into it."""
        outputs = [member.classify(prepared).float().softmax(dim=1) for member in self.each()]
        return torch.stack(outputs).mean(dim=0).clamp_min(torch.finfo(torch.float32).tiny).log()

    def each(self) -> list[TileClassifier]:
        """The members."""
        return [member for member in self.members if isinstance(member, TileClassifier)]
