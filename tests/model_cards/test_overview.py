from matplotlib.image import imread

from model_cards import overview


def test_the_picture_is_drawn_from_what_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(overview, "PICTURE", tmp_path / "overview.png")
    overview.main()
    drawn = imread(overview.PICTURE)
    assert drawn.shape == imread(overview.REPOSITORY / "docs/overview.png").shape
    assert drawn.std() > 0.1
