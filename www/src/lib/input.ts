/** Pictures and weights from drops and pastes. */

/** What a file dialog for weights offers. */
export const weightsAccepted = '.safetensors,.pth,.pt,.tar,.bin,.caffemodel';
const endings = weightsAccepted.split(',');

/** The first file that is named as weights are. */
export function weightsIn(data: DataTransfer | null): File | undefined {
  return [...(data?.files ?? [])].find(({ name }) => endings.some((ending) => name.toLowerCase().endsWith(ending)));
}

/** The first file that may be a picture; files without a type are tried too, the decoders decide. */
export function pictureIn(data: DataTransfer | null): File | undefined {
  const files = [...(data?.files ?? [])];
  return files.find((file) => file.type.startsWith('image/')) ?? files[0];
}

/** Whether what hangs over the page is a file. */
export function carriesFiles(data: DataTransfer | null): boolean {
  return data?.types.includes('Files') ?? false;
}
