"""Principal components: known directions are found, and enough of them rebuild the data."""

import torch

from backend_server.pca import fit_pca


def test_the_axes_of_a_cross_by_hand():
    data = torch.tensor([[2.0, 1.0], [-2.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    pca = fit_pca(data)
    assert torch.allclose(pca.mean, torch.tensor([0.0, 1.0]))
    assert torch.allclose(pca.components.abs(), torch.eye(2), atol=1e-6)
    assert torch.allclose(pca.variances, torch.tensor([8 / 3, 2 / 3]))


def test_all_components_rebuild_the_data():
    data = torch.randn(40, 7, generator=torch.Generator().manual_seed(1))
    pca = fit_pca(data)
    assert torch.allclose(pca.decode(pca.encode(data)), data, atol=1e-5)
    assert torch.allclose(pca.components @ pca.components.T, torch.eye(7), atol=1e-5)


def test_the_fewest_components_that_reach_a_share():
    generator = torch.Generator().manual_seed(2)
    scales = torch.tensor([10.0, 1.0, 0.1])
    data = torch.randn(1000, 3, generator=generator) * scales
    assert len(fit_pca(data, variance=0.98).components) == 1
    assert len(fit_pca(data, variance=0.9999).components) == 3
    assert len(fit_pca(data, 2).components) == 2
