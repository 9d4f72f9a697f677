"""The tiny TransPose's pass with whole attention matrices, into which tests can reach: an independent computation."""

import torch


def explicit_pass(model, inputs, change_tokens=lambda tokens: tokens, change_last=lambda matrix: matrix):
    """Heatmaps, and the attention (B, heads, N, N) of every layer that they were computed with.

    ``change_tokens`` is given the encoder's input (B, 48, 8), ``change_last`` the last layer's attention.
    """
    x = change_tokens(model.neck.projection(model.backbone(inputs)[-1]).flatten(2).transpose(1, 2))
    pos = model.neck.position_encoding((8, 6), like=x)
    matrices, layers = [], model.neck.encoder.layers
    for layer in layers:
        weight, bias = layer.self_attn.in_proj_weight.chunk(3), layer.self_attn.in_proj_bias.chunk(3)
        q, k, v = (
            (source @ w.T + b).reshape(-1, 48, 2, 4).permute(0, 2, 1, 3)
            for source, w, b in zip((x + pos, x + pos, x), weight, bias)
        )
        matrix = torch.softmax(q @ k.mT / 2, -1)  # 2 is the root of a head's 4 channels
        matrices.append(change_last(matrix) if layer is layers[-1] else matrix)
        context = (matrices[-1] @ v).permute(0, 2, 1, 3).reshape(-1, 48, 8)
        x = layer.norm1(x + layer.self_attn.out_proj(context))
        x = layer.norm2(x + layer.linear2(layer.linear1(x).relu()))
    return model.head.forward((x.mT.reshape(-1, 8, 8, 6),)), matrices
