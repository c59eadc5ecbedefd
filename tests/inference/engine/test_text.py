"""Tokens to text: no half character is ever shown, stop strings are found in any pieces, seeds hold."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, pre_tokenizers
from tokenizers.models import BPE, WordLevel
from transformers import PreTrainedTokenizerFast

from inference.engine.sampling import Sampler, choose
from inference.engine.stopping import StopStrings
from inference.engine.tokenizers import BOS, EOS, ByteTokenizer, PretrainedTokenizer


def test_a_character_of_four_bytes_appears_with_its_last_one():
    decoder = ByteTokenizer().decoder()
    assert [decoder.push(token) for token in "a🦀é".encode()] == ["a", "", "", "", "🦀", "", "é"]


def test_bytes_that_are_no_text_are_replaced_and_ends_are_not_shown():
    decoder = ByteTokenizer().decoder()
    assert [decoder.push(token) for token in (0xFF, ord("a"), EOS)] == ["�", "a", ""]


@given(st.text(max_size=40))
def test_bytes_go_there_and_back(text):
    first, *rest = ByteTokenizer().encode(text)
    decoder = ByteTokenizer().decoder()
    assert first == BOS
    assert "".join(map(decoder.push, rest)) == text


def test_only_what_may_begin_a_stop_string_is_held_back():
    stops = StopStrings(("END",))
    assert [stops.push(piece) for piece in ("a", "E", "N", "x", "EN")] == ["a", "", "", "ENx", ""]
    assert stops.flush() == "EN"
    assert not stops.met


@given(st.lists(st.text("ab", max_size=4)), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(tuple))
def test_an_answer_ends_at_the_first_stop_string_however_it_is_cut(pieces, strings):
    stops = StopStrings(strings)
    shown = ""
    for piece in pieces:
        shown += stops.push(piece)
        if stops.met:
            break
    if not stops.met:
        shown += stops.flush()
    whole = "".join(pieces)
    # Only what had arrived by then counts: of two stop strings the one that is complete first ends the answer.
    assert whole.startswith(shown)
    assert stops.met == any(string in whole for string in strings)
    assert not any(string in shown for string in strings)
    assert stops.met or shown == whole


@pytest.mark.parametrize("temperature", [0.0, 1e-9], ids=str)
def test_temperature_zero_is_greedy(temperature):
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    assert [choose(logits, [Sampler(temperature, 1.0, None)])[0] for _ in range(20)] == [1] * 20


def test_a_top_p_that_rounds_to_nothing_still_leaves_the_best_token():
    logits = torch.tensor([[0.0, 3.0, 1.0]])
    assert [choose(logits, [Sampler(1.0, 5e-324, None)])[0] for _ in range(20)] == [1] * 20


def test_top_p_keeps_the_smallest_set_that_holds_its_mass():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    sampler = Sampler(1.0, 0.7, seed=1)
    assert {sampler.draw(logits) for _ in range(200)} == {0, 1}


def test_a_seed_holds_whatever_else_is_in_the_batch():
    logits = torch.zeros(3, 50)
    alone, beside = Sampler(1.0, 1.0, seed=5), Sampler(1.0, 1.0, seed=5)
    single = [choose(logits[:1], [alone])[0] for _ in range(10)]
    batched = [choose(logits, [Sampler(1.0, 1.0, 1), beside, Sampler(0.0, 1.0, None)])[1] for _ in range(10)]
    assert single == batched
    assert len(set(single)) > 3


def test_a_continuation_begins_with_the_space_that_the_prompt_leaves_open():
    words = {"<unk>": 0, "▁Once": 1, "▁upon": 2, "▁a": 3, "▁time": 4}
    fast = FastTokenizer(WordLevel(words, unk_token="<unk>"))
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer = PretrainedTokenizer(PreTrainedTokenizerFast(tokenizer_object=fast))
    assert tokenizer.decoder((1, 2, 3)).push(4) == " time"
    assert tokenizer.decoder().push(4) == "time"


def test_a_prompt_that_ends_in_half_a_character_is_not_repeated():
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    fast = FastTokenizer(BPE(vocab=letters, merges=[]))
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    first, *rest = fast.encode("aéb").ids
    decoder = PretrainedTokenizer(PreTrainedTokenizerFast(tokenizer_object=fast)).decoder((first, rest[0]))
    assert "a" not in "".join(map(decoder.push, rest[1:]))
