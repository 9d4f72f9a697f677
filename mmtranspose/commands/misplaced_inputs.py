"""Notice images and videos that stand where the model or its checkpoint does, and models that stand after --input."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import cv2

from mmtranspose.errors import InputError
from mmtranspose.loading.zoo import is_model
from mmtranspose.media.inputs import IMAGE_SUFFIXES, VIDEO_SUFFIXES, suffix_of

ONE_IMAGE = 'give one image (`mmtranspose infer --explain page` takes several, and folders)'
ELSEWHERE = '`mmtranspose infer` and `explain` take images, and the page of `app` opens them'


def kind_of_input(text: str) -> str | None:
    """Say what a word of a command line looks like: ``'an image'``, ``'a video'``, or ``'a folder'``; else None."""
    if '://' in text:
        return None
    if os.path.isdir(text) and not is_model(text):
        return 'a folder'
    if suffix_of(text) in VIDEO_SUFFIXES:
        return 'a video'
    is_image = suffix_of(text) in IMAGE_SUFFIXES or (os.path.isfile(text) and cv2.haveImageReader(text))
    return 'an image' if is_image else None


def advice(words: Sequence[str]) -> str | None:
    """Say what to do about a command line that lacks the model or --input, because they stand in each other's place.

    Args:
        words (Sequence[str]): The command line of a command that has --input, without the command.

    Returns:
        str | None: A sentence; None where nothing is seen.
    """
    if not any(word.startswith('--inp') for word in words):
        inputs = [word for word in words if word[:1] != '-' and kind_of_input(word) not in (None, 'a folder')]
        if not inputs:
            return None
        return f'{inputs[0]} looks like {kind_of_input(inputs[0])}: give it as --input {" ".join(inputs)}'
    start = next(number for number, word in enumerate(words) if word.startswith('--inp'))
    after = words[start + 1 :]
    end = next((number for number, word in enumerate(after) if word.startswith('-')), len(after))
    models = [word for word in after[:end] if is_model(word) or word.endswith(('.py', '.onnx', '.xml'))]
    return f'{models[0]} stands among the words after --input: name the model before --input' if models else None


def require_no_input(args: argparse.Namespace) -> None:
    """Check that no image, video or folder stands where the model or its checkpoint does.

    Raises:
        InputError: One does.
    """
    for name in ('config', 'checkpoint'):
        given = getattr(args, name, None)
        kind = None if given is None else kind_of_input(given)
        if kind is None:
            continue
        if name == 'checkpoint' and isinstance(getattr(args, 'input', None), str):
            raise InputError(f'--input takes one image, and {given} stands where the checkpoint does; {ONE_IMAGE}')
        place = 'the model' if name == 'config' else 'the checkpoint'
        cure = f'give it as --input {given}' if 'input' in args else ELSEWHERE
        raise InputError(f'{given} looks like {kind}, and stands where {place} does: {cure}')
