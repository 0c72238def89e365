/** An analysis as a Python program for PyTorch. */
import type { SessionInfo } from 'sklens';
import type { Point } from './crop';

/** What a program needs to know. */
export interface Reproduced {
  info: Pick<SessionInfo, 'model' | 'inputSize' | 'classes' | 'cropPct' | 'units' | 'metadata'>;
  photo: NamedFile;
  weights: NamedFile;
  zooms: readonly number[];
  center: Point;
}

/** A file by name, and where it can be had. */
export interface NamedFile {
  name: string;
  url?: string | undefined;
}

interface Builder {
  imports: readonly string[];
  /** Python that sets `model`. */
  code: string;
  /** The filter of its preprocessing, unless its weights say otherwise. */
  filter: 'bicubic' | 'bilinear';
}

/** timm's names of presets that it has. */
const TIMM: ReadonlyMap<string, string> = new Map([
  ['sknet50', 'skresnext50_32x4d'],
  ...['skresnet18', 'skresnet34', 'skresnet50', 'skresnet50d', 'resnext50_32x4d', 'seresnext50_32x4d'].map((name) => [name, name] as const),
]);

/** How timm or torchvision build a network; undefined for those that neither has. */
function builder(model: string): Builder | undefined {
  const name = TIMM.get(model);
  if (name) return { imports: ['import timm'], code: `model = timm.create_model("${name}", num_classes=CLASSES)`, filter: 'bicubic' };
  const [, selective, width] = /^(sk_)?shufflenet_v2_(x\d_\d)$/.exec(model) ?? [];
  if (!width) return undefined;
  const plain = `model = torchvision.models.shufflenet_v2_${width}(num_classes=CLASSES)`;
  if (!selective) return { imports: ['import torchvision'], code: plain, filter: 'bilinear' };
  return {
    imports: ['import torchvision', 'from timm.layers import SelectiveKernel'],
    code: `${plain}
# An SK unit in place of every main branch's depthwise 3x3 convolution.
for block in [*model.stage2, *model.stage3, *model.stage4]:
    depthwise = block.branch2[3]
    c = depthwise.out_channels
    block.branch2[3] = SelectiveKernel(
        c, c, stride=depthwise.stride[0], groups=c, split_input=False, rd_channels=max(c // 16, 32)
    )
    block.branch2[4] = torch.nn.Identity()`,
    filter: 'bicubic',
  };
}

/** Whether {@link pythonProgram} knows a network. */
export function isReproducible(model: string): boolean {
  return builder(model) !== undefined;
}

/** The program; prints, for each zoom, the five best classes and every unit's mean difference of attention. */
export function pythonProgram({ info, photo, weights, zooms, center }: Reproduced): string | undefined {
  const built = builder(info.model);
  if (!built) return undefined;
  const { metadata, inputSize, classes, cropPct, units } = info;
  const filter = metadata.interpolation === 'bicubic' || metadata.interpolation === 'bilinear' ? metadata.interpolation : built.filter;
  return `# pip install timm torchvision safetensors pillow
import numpy as np
import torch
${built.imports.join('\n')}
from PIL import Image, ImageOps
from safetensors import safe_open

PHOTO = ${file(photo)}
WEIGHTS = ${file(weights)}
ZOOMS = [${zooms.join(', ')}]
CENTER = ${tuple(center)}  # of the photo, right and down
SIZE = ${tuple(inputSize)}  # height and width of the network's input
CROP = ${cropPct}  # what is seen at zoom 1, of the photo's shorter side
CLASSES = ${classes}
MEAN = ${tuple(triple(metadata.mean) ?? [0.485, 0.456, 0.406])}
STD = ${tuple(triple(metadata.std) ?? [0.229, 0.224, 0.225])}
UNITS = {
${units.map(({ name, path }) => `    ${JSON.stringify(name)}: ${JSON.stringify(path)},\n`).join('')}}

${built.code}
with safe_open(WEIGHTS, "pt") as weights:
    state = {name: weights.get_tensor(name).float() for name in weights.keys()}
missing, unexpected = model.load_state_dict(state, strict=False)
assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), "these are other weights"
model.eval()

attention = {}  # of every unit, [branch, channel]
for name, path in UNITS.items():
    model.get_submodule(path).attn.register_forward_hook(
        lambda _, inputs, output, name=name: attention.update({name: output[0, :, :, 0, 0]})
    )

photo = ImageOps.exif_transpose(Image.open(PHOTO)).convert("RGB")
photo = photo.reduce(max(1, min(photo.size) // 768))


def seen(zoom):
    """What the network sees, [1, 3, height, width]."""
    (width, height), (rows, columns) = photo.size, SIZE
    scale = min(width / columns, height / rows) * CROP / zoom
    box = []
    for extent, side, middle in ((width, columns * scale, CENTER[0]), (height, rows * scale, CENTER[1])):
        start = min(max(middle * extent - side / 2, 0), extent - side)
        box.append((start, min(start + side, extent)))
    (left, right), (top, bottom) = box
    pixels = photo.resize((columns, rows), Image.Resampling.${filter.toUpperCase()}, box=(left, top, right, bottom))
    values = (np.asarray(pixels) / 255 - MEAN) / STD
    return torch.from_numpy(values).float().permute(2, 0, 1)[None]


for zoom in ZOOMS:
    with torch.no_grad():
        probabilities = model(seen(zoom))[0].softmax(0)
    print(f"zoom {zoom}")
    for index in probabilities.argsort(descending=True)[:5].tolist():
        print(f"  class {index}: {probabilities[index]:.4f}")
    for name, shares in attention.items():
        print(f"  {name}: {(shares[-1] - shares[0]).mean():+.4f}")
`;
}

function file({ name, url }: NamedFile): string {
  return JSON.stringify(name) + (url ? `  # ${new URL(url).href}` : '');
}

function tuple(values: readonly number[]): string {
  return `(${values.join(', ')})`;
}

/** Metadata is anybody's text: only three numbers get into the program. */
function triple(text: string | undefined): number[] | null {
  const values = (text ?? '').split(',').map((part) => (part.trim() ? Number(part) : NaN));
  return values.length === 3 && values.every(Number.isFinite) ? values : null;
}
