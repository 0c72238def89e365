"""Writes tests/fixtures/weights/small.caffemodel, as Caffe would after the authors' prototxt, and its logits.

usage: caffe_model.py

The messages are declared here as far as Caffe writes them into a file of weights; names and numbers are caffe.proto's.
"""

import numpy as np
import torch
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from safetensors.torch import save_file
from timm.models.resnet import ResNet
from timm.models.sknet import SelectiveKernelBottleneck
from torch import nn

import generator
import networks
from weights import FOLDER

SHAPE = (2, 3, 66, 77)
FIELD = descriptor_pb2.FieldDescriptorProto
PARTS = ("weight", "bias", "running_mean", "running_var")  # in the order of CuDNNBatchNorm's blobs

# Message -> fields: name, number, type or message, "+" for repeated and "*" for repeated and packed.
MESSAGES = {
    "BlobShape": [("dim", 1, "int64", "*")],
    "BlobProto": [("data", 5, "float", "*"), ("shape", 7, "BlobShape", "")],
    "ConvolutionParameter": [
        ("num_output", 1, "uint32", ""),
        ("bias_term", 2, "bool", ""),
        ("pad", 3, "uint32", "+"),
        ("kernel_size", 4, "uint32", "+"),
        ("group", 5, "uint32", ""),
        ("stride", 6, "uint32", "+"),
        ("dilation", 18, "uint32", "+"),
    ],
    "InnerProductParameter": [("num_output", 1, "uint32", "")],
    "LayerParameter": [
        ("name", 1, "string", ""),
        ("type", 2, "string", ""),
        ("bottom", 3, "string", "+"),
        ("top", 4, "string", "+"),
        ("blobs", 7, "BlobProto", "+"),
        ("phase", 10, "int32", ""),
        ("convolution_param", 106, "ConvolutionParameter", ""),
        ("inner_product_param", 117, "InnerProductParameter", ""),
    ],
    "NetParameter": [("name", 1, "string", ""), ("layer", 100, "LayerParameter", "+")],
}


def messages() -> dict[str, type]:
    """The classes of MESSAGES."""
    file = descriptor_pb2.FileDescriptorProto(name="weights.proto", package="caffe", syntax="proto2")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            declared = message.field.add(name=field, number=number, label=label)
            if kind in MESSAGES:
                declared.type, declared.type_name = FIELD.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                declared.type = getattr(FIELD, f"TYPE_{kind.upper()}")
            if repeated == "*":
                declared.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
    return {name: find(name) for name in MESSAGES}


class Net:
    """A file of weights, layer by layer as they run."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.file = messages()["NetParameter"](name="small_caffe")

    def layer(self, name: str, kind: str, bottoms: list[str], tensors=(), **parameters) -> str:
        """A layer with these blobs; returns the name of its top."""
        layer = self.file.layer.add(name=name, type=kind, bottom=bottoms, top=[name], phase=1, **parameters)
        for tensor in tensors:
            blob = layer.blobs.add()
            blob.shape.dim.extend(tensor.shape)
            blob.data.extend(tensor.detach().numpy().astype(np.float32).ravel().tolist())
        return name

    def convolution(self, name: str, path: str, bottom: str) -> str:
        conv = self.model.get_submodule(path)
        parameters = {
            "num_output": conv.out_channels,
            "bias_term": False,
            "kernel_size": [conv.kernel_size[0]],
            "stride": [conv.stride[0]],
            "pad": [conv.padding[0]],
            "group": conv.groups,
            "dilation": [conv.dilation[0]],
        }
        return self.layer(name, "Convolution", [bottom], [conv.weight], convolution_param=parameters)

    def norm(self, bottom: str, path: str, relu: bool) -> str:
        norm = self.model.get_submodule(path)
        name = self.layer(f"{bottom}/bn", "CuDNNBatchNorm", [bottom], [getattr(norm, part) for part in PARTS])
        if relu:
            self.layer(f"{bottom}/relu", "ReLU", [name])
        return name

    def unit(self, name: str, path: str, bottom: str) -> str:
        """A bottleneck with a unit of two branches."""
        conv = lambda part, module, below: self.convolution(f"{name}/{part}", f"{path}.{module}", below)
        reduced = self.norm(conv("1x1_reduce", "conv1.conv", bottom), f"{path}.conv1.bn", True)
        branches = []
        for branch, part in enumerate(("3x3g32", "3x3g32d2")):
            module = f"conv2.paths.{branch}"
            branches.append(self.norm(conv(part, f"{module}.conv", reduced), f"{path}.{module}.bn", True))
        pooled = self.layer(f"{name}/B_global_pool", "Pooling", [self.layer(f"{name}_3x3", "Eltwise", branches)])
        hidden = self.norm(conv("B_fc1", "conv2.attn.fc_reduce", pooled), f"{path}.conv2.attn.bn", True)
        attention = self.layer(f"{name}/B_softmax", "Softmax", [conv("B_fc2", "conv2.attn.fc_select", hidden)])
        chosen = self.layer(f"{name}/B_axpy", "Axpy", [attention, *branches])
        main = self.norm(conv("1x1_increase", "conv3.conv", chosen), f"{path}.conv3.bn", False)
        if self.model.get_submodule(path).downsample is not None:
            bottom = self.norm(conv("1x1_proj", "downsample.0", bottom), f"{path}.downsample.1", False)
        total = self.layer(name, "Eltwise", [main, bottom])
        self.layer(f"{name}/relu", "ReLU", [total])
        return total

    def run(self) -> bytes:
        """The file's bytes."""
        stem = self.norm(self.convolution("conv1/7x7_s2", "conv1", "data"), "bn1", True)
        top = self.layer("pool1/3x3_s2", "Pooling", [stem])
        for path in networks.blocks_of(self.model):
            stage, unit = map(int, path.removeprefix("layer").split("."))
            top = self.unit(f"conv{stage + 1}_{unit + 1}", path, top)
        fc = self.model.fc
        pooled = self.layer("avepool/7x7", "Pooling", [top])
        self.layer(
            "classifier", "InnerProduct", [pooled], [fc.weight, fc.bias], inner_product_param={"num_output": fc.out_features}
        )
        return self.file.SerializeToString()


def build() -> nn.Module:
    """tests/fixtures/weights/small_caffe.toml."""
    model = ResNet(
        SelectiveKernelBottleneck,
        (2, 1, 1, 1),
        cardinality=4,
        base_width=32,
        channels=(8, 16, 32, 64),
        block_args={"sk_kwargs": {"rd_ratio": 1 / 16, "rd_divisor": 32, "split_input": False}},
    )
    model.layer3, model.layer4, model.fc = nn.Identity(), nn.Identity(), nn.Linear(64, 10)
    networks.fill_parameters(model)
    return networks.caffe(model).eval()


def main() -> None:
    model = build()
    (FOLDER / "small.caffemodel").write_bytes(Net(model).run())
    with torch.no_grad():
        logits = model.double()(torch.from_numpy(generator.fill("input", SHAPE)).double())
    save_file({"logits": logits.float()}, FOLDER / "small.caffemodel.logits.safetensors")


if __name__ == "__main__":
    main()
