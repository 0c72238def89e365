"""Processes that share a batch."""

import torch

from parallel import Workers, launch


def agree(workers, folder, stopping):
    first, second = torch.zeros(2, 3), torch.zeros(4)
    first.grad, second.grad = torch.full((2, 3), 1.0 + workers.rank), torch.arange(4.0) * workers.rank
    stop = workers.agree([first, second], workers.rank == stopping)
    torch.save((first.grad, second.grad, stop), folder / f"{workers.rank}.pt")


def results(folder, stopping):
    launch(agree, 2, folder, stopping)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_gradients_become_the_mean_in_every_process(tmp_path):
    for first, second, stop in results(tmp_path, None):
        assert torch.equal(first, torch.full((2, 3), 1.5))
        assert torch.equal(second, torch.arange(4.0) / 2)
        assert stop is False


def test_all_stop_when_one_is_asked(tmp_path):
    assert all(stop for _, _, stop in results(tmp_path, 1))


def test_shares_are_the_batch():
    batch = torch.arange(7)
    shares = [Workers(rank, 3).share(batch) for rank in range(3)]
    assert torch.cat(shares).sort().values.equal(batch)
