"""Clustering: do the clips of one label lie together when nobody says what the labels are?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .neighbours import unit


def v_measures(
    features: np.ndarray, labels: Sequence[str], centred: bool = False, seeds: Sequence[int] = range(5)
) -> list[float]:
    """V-measure of k-means on unit vectors `(clips, dim)` against the labels, one for each seed.

    There are as many clusters as labels. `centred` takes the mean of these clips off first.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import v_measure_score

    vectors = unit(features - features.mean(0) if centred else features)
    count = len(set(labels))
    return [
        float(v_measure_score(labels, KMeans(count, n_init=3, random_state=seed).fit_predict(vectors)))
        for seed in seeds
    ]
