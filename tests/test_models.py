"A dozen families of both libraries: cut, headed, filled with weights, rebuilt; and what must be refused."
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

from course_lib.training import models as m

# name, side of a small picture it takes, whether its weights file is small enough to write here
FAMILIES = [
    ('resnet18', 64, True), ('vgg11_bn', 32, False), ('densenet121', 64, True), ('mobilenet_v2', 64, True),
    ('mobilenet_v3_small', 64, True), ('efficientnet_b0', 64, True), ('squeezenet1_1', 64, True),
    ('alexnet', 64, False), ('convnext_tiny', 64, False), ('regnet_y_400mf', 64, True),
    ('shufflenet_v2_x1_0', 64, True), ('googlenet', 64, True), ('mnasnet0_5', 64, True), ('swin_t', 64, False),
    ('vit_b_32', 224, False), ('timm:resnet18', 64, True), ('resnet26d', 64, True), ('convnext_atto', 64, True),
    ('mobilenetv2_100', 64, True), ('mobilenetv3_small_050', 64, True), ('levit_128s', 224, True),
    ('vit_tiny_patch16_224', 224, True), ('efficientnet_lite0', 64, True)]
SHARED = Path(__file__).parents[2]/'shared'/'data'/'weights'


@pytest.mark.parametrize('name, size, small', FAMILIES)
def test_family(name, size, small, tmp_path):
    model = m.create_vision_model(name, 5, pretrained=False)
    xb = torch.rand(2, 3, size, size)
    out = model.eval()(xb)
    assert out.shape == (2, 5)
    out.sum().backward()
    assert not [k for k, p in model.named_parameters() if p.grad is None]  # nothing is carried along unused
    again = m.build_model(model.arch_config)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}
    if small: check_weights(name, tmp_path)


def check_weights(name, folder):
    "The library's own complete network, saved, must fill our body exactly."
    arch = m.find_arch(name)
    whole = arch(**({'init_weights': False} if name == 'googlenet' else {}))
    torch.save(whole.state_dict(), folder/'weights.pth')
    model = m.create_vision_model(name, 5, weights=folder/'weights.pth')
    theirs = whole.state_dict()
    ours = {k.removeprefix('net.').removeprefix('net.'): v for k, v in model.body.state_dict().items()}
    for k, v in ours.items(): assert torch.equal(v, theirs[k]), k
    assert model.pretrained


@pytest.mark.parametrize('name', ['vit_b_16', 'vit_tiny_patch16_224'])
def test_one_size_only(name):
    model = m.create_vision_model(name, 2, pretrained=False).eval()
    with torch.no_grad(): assert model(torch.rand(2, 3, 224, 224)).shape == (2, 2)
    with pytest.raises(ValueError, match=f'{name} takes only pictures of 224 x 224 pixels; these are 128 x 128'):
        model(torch.rand(2, 3, 128, 128))


@pytest.mark.parametrize('n_in', [1, 2, 4])
def test_channels(n_in, tmp_path):
    whole = m.resnet18()
    torch.save(whole.state_dict(), tmp_path/'w.pth')
    model = m.create_vision_model('resnet18', 2, weights=tmp_path/'w.pth', n_in=n_in).eval()
    assert model(torch.rand(2, n_in, 64, 64)).shape == (2, 2)
    if n_in == 1: assert torch.allclose(model.body.conv1.weight, whole.conv1.weight.sum(1, keepdim=True))
    assert m.build_model(model.arch_config).body.conv1.in_channels == n_in


@pytest.mark.parametrize('file, arch, like', [
    ('resnet34', 'resnet18', 'torchvision:resnet34'), ('resnet18', 'resnet34', 'torchvision:resnet18'),
    ('mobilenet_v2', 'timm:mobilenetv2_100', 'torchvision:mobilenet_v2'),
    ('timm:mobilenetv2_100', 'mobilenet_v2', 'timm:mobilenetv2_100'), ('resnet50', 'resnet18', 'torchvision:resnet50')])
def test_weights_of_another(file, arch, like, tmp_path):
    path = tmp_path/f'{m.find_arch(file).name}-0123abcd.pth'
    torch.save(m.find_arch(file)().state_dict(), path)
    with pytest.raises(m.WeightsError) as e: m.create_vision_model(arch, 2, weights=path)
    assert path.name in str(e.value) and repr(m.find_arch(arch)) in str(e.value) and f'look like {like}' in str(e.value)


def test_functions_of_your_own(tmp_path):
    def mine(): return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    whole = mine()
    torch.save(whole.state_dict(), tmp_path/'mine.pth')
    model = m.create_vision_model(mine, 2, weights=tmp_path/'mine.pth')
    assert torch.equal(model.body[0].weight, whole[0].weight) and model.arch_config is None
    partial_timm = m.create_vision_model(partial(timm.create_model, 'levit_128s'), 2, pretrained=False)
    assert partial_timm(torch.rand(2, 3, 224, 224)).shape == (2, 2)
    assert partial_timm.head[0].num_features == 384  # not the 1000 of its own classifier
    lazy = m.create_vision_model(torchvision.models.resnet18, 2, pretrained=False)
    assert lazy.arch_config['name'] == 'resnet18' and len(m.split_groups(lazy)) == 3


def test_unknown_weights(tmp_path):
    torch.save(nn.Linear(3, 3).state_dict(), tmp_path/'x.pth')
    with pytest.raises(m.WeightsError, match='0 of the 120 tensors'):
        m.create_vision_model('resnet18', 2, weights=tmp_path/'x.pth')


def test_old_names_of_densenet(tmp_path):
    whole = m.densenet121()
    old = {k.replace('norm1', 'norm.1').replace('norm2', 'norm.2').replace('conv1', 'conv.1').replace('conv2', 'conv.2')
           if 'denselayer' in k else k: v for k, v in whole.state_dict().items()}
    assert old.keys() != whole.state_dict().keys()
    torch.save(old, tmp_path/'densenet121.pth')
    model = m.create_vision_model('densenet121', 2, weights=tmp_path/'densenet121.pth')
    assert torch.equal(model.body.features.denseblock4.denselayer16.conv2.weight,
                       whole.features.denseblock4.denselayer16.conv2.weight)


def test_old_names_of_transformers():
    old = {f'encoder.layers.encoder_layer_0.mlp.linear_{i}.weight': torch.ones(i) for i in (1, 2)}
    assert list(m._renamed(nn.Identity(), old)) == [f'encoder.layers.encoder_layer_0.mlp.{i}.weight' for i in (0, 3)]


class Evil:
    def __init__(self, path): self.path = path
    def __reduce__(self): return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('new', [True, False])
def test_a_pickle_runs_nothing(tmp_path, new):
    torch.save({'state_dict': m.squeezenet1_1().state_dict(), 'x': Evil(tmp_path/'harm')}, tmp_path/'evil.pth',
               _use_new_zipfile_serialization=new)
    with pytest.raises(m.WeightsError, match='could run code'): m.read_weights(tmp_path/'evil.pth')
    assert not (tmp_path/'harm').exists()


@pytest.mark.parametrize('new', [True, False])
@pytest.mark.parametrize('part', [.0005, .3, .9, .9999])
def test_cut_short(tmp_path, new, part):
    file = tmp_path/'short.pth'
    torch.save(m.squeezenet1_1().state_dict(), file, _use_new_zipfile_serialization=new)
    whole = file.read_bytes()
    file.write_bytes(whole[:int(len(whole)*part)])
    with pytest.raises(m.WeightsError, match='short.pth'): m.create_vision_model('squeezenet1_1', 2, weights=file)


def test_a_name_costs_no_import():
    code = ('import sys, course_lib.training.models as m; m.resnet18.__name__; '
            'print([o for o in ("torchvision", "timm", "safetensors") if o in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


def test_every_listed_name_exists():
    archs = [o for o in vars(m).values() if isinstance(o, m.Arch)]
    assert len(archs) > 25
    for o in archs: assert m.find_arch(o.name) == o and getattr(m, o.name) is o


@pytest.mark.skipif(not SHARED.exists(), reason='the real weights are not here')
@pytest.mark.parametrize('arch, other', [('mobilenet_v2', 'mobilenetv2_100'), ('mobilenetv2_100', 'mobilenet_v2')])
def test_real_weights(arch, other):
    assert m.create_vision_model(arch, 3, weights=SHARED/f'{arch}.pth').pretrained
    with pytest.raises(m.WeightsError, match=f'look like .*{other}'):
        m.create_vision_model(arch, 3, weights=SHARED/f'{other}.pth')
