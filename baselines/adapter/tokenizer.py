"""Chat transcripts → token ids, with the vocabulary that the GGUF file carries.

Leaves out detokenising of partial characters and every chat format but ChatML, which is the one SmolLM2 speaks. The
ids equal llama.cpp's (a test compares them), because training on other ids than inference sends would be wasted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

BEGIN, END = "<|im_start|>", "<|im_end|>"


class ChatTokenizer:
    """Byte-level BPE with single digits, and the two ChatML marks as special tokens."""

    def __init__(self, tokens: Sequence[str], merges: Sequence[str]) -> None:
        vocabulary = {token: number for number, token in enumerate(tokens)}
        pairs = [tuple(merge.split(" ", 1)) for merge in merges]
        self._bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
        digits = pre_tokenizers.Digits(individual_digits=True)
        self._bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
        )
        self._bpe.decoder = decoders.ByteLevel()
        self.begin, self.end = vocabulary[BEGIN], vocabulary[END]

    def words(self) -> list[str]:
        """Words in small letters that are one token after a space."""
        return sorted(token[1:] for token in self._bpe.get_vocab() if re.fullmatch("Ġ[a-z]{3,}", token))

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; marks inside it are read as text, not as marks."""
        return self._bpe.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        return self._bpe.decode(list(ids), skip_special_tokens=False)

    def message(self, message: Mapping[str, str]) -> list[int]:
        """``<|im_start|>role\\ncontent<|im_end|>\\n``."""
        body = self.encode(f"{message['role']}\n{message['content']}")
        return [self.begin, *body, self.end, *self.encode("\n")]

    def reply_mark(self) -> list[int]:
        """What stands before a reply: ``<|im_start|>assistant\\n``."""
        return [self.begin, *self.encode("assistant\n")]

    def reply(self, text: str) -> list[int]:
        """What the model has to write: the reply and the end mark."""
        return [*self.encode(text), self.end]
