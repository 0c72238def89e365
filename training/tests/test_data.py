"""Reading a folder in Tiny-ImageNet's layout, and holding images out."""

import pytest
import torch
from PIL import Image

import data


@pytest.fixture
def folder(tmp_path):
    """Two classes and a surplus one, three training and one validation image each; one of them grey."""
    wnids = ["n00000002", "n02480855", "n00000001"]
    (tmp_path / "wnids.txt").write_text("\n".join(wnids) + "\n\n")
    (tmp_path / "words.txt").write_text("n00000001\tcat, house cat\nn00000002\ttrain\nn02480855\tgorilla\n")
    rows = []
    (tmp_path / "val" / "images").mkdir(parents=True)
    for i, wnid in enumerate(wnids):
        images = tmp_path / "train" / wnid / "images"
        images.mkdir(parents=True)
        for k in range(3):
            mode = "L" if (i, k) == (0, 1) else "RGB"
            Image.new(mode, (64, 64), 100 if mode == "L" else (50 * i, 10 * k, 7)).save(images / f"{wnid}_{k}.png")
        Image.new("RGB", (64, 64), (50 * i, 200, 7)).save(tmp_path / "val" / "images" / f"val_{i}.png")
        rows.append(f"val_{i}.png\t{wnid}\t0\t0\t9\t9")
    (tmp_path / "val" / "val_annotations.txt").write_text("\n".join(rows))
    return tmp_path


def test_folder_becomes_arrays_without_the_surplus_classes(folder):
    read = data.read_folder(folder)
    assert read.classes == ["n00000002", "n00000001"] and read.labels == ["train", "cat"]
    assert read.train.images.shape == (6, 3, 64, 64) and read.train.images.dtype == torch.uint8
    assert read.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert read.train.images[:, :, 0, 0].tolist()[1] == [100, 100, 100]
    assert read.train.images[:, :, 5, 9].tolist()[5] == [100, 20, 7]
    assert read.validation.labels.tolist() == [0, 1]


def test_folder_is_decoded_once_and_keeps_everything(folder):
    read, first = data.read_folder(folder), data.load(folder)
    (folder / "wnids.txt").unlink()
    for again in (first, data.load(folder), data.load(folder / data.CACHE)):
        assert (again.classes, again.labels) == (read.classes, read.labels)
        for a, b in ((again.train, read.train), (again.validation, read.validation)):
            assert torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)


def test_hold_out_takes_the_same_number_of_every_class():
    labels = torch.randint(4, (400,), generator=torch.Generator().manual_seed(0))
    images = torch.arange(400).view(400, 1, 1, 1)
    kept, held = data.hold_out(data.Split(images, labels), 7)
    assert held.labels.bincount().tolist() == [7] * 4
    assert sorted(kept.images.flatten().tolist() + held.images.flatten().tolist()) == list(range(400))
    assert torch.equal(labels[held.images.flatten()], held.labels) and torch.equal(
        labels[kept.images.flatten()], kept.labels
    )
    again = data.hold_out(data.Split(images, labels), 7)[1]
    assert torch.equal(again.images, held.images)
    assert len(data.hold_out(data.Split(images, labels), 0)[1]) == 0


def test_every_second_class_is_numbered_anew(cache):
    whole = data.load(cache)
    part = data.every(whole, 2)
    assert part.classes == ["n0", "n2", "n4"]
    for one, of in ((part.train, whole.train), (part.validation, whole.validation)):
        assert one.labels.unique().tolist() == [0, 1, 2]
        for i in range(3):
            assert torch.equal(one.images[one.labels == i], of.images[of.labels == 2 * i])
