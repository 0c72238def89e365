/** The float32 values of a file of cases. */
export async function values(name) {
  const response = await fetch(`/cases/${name}`);
  if (!response.ok) throw new Error(`${name}: HTTP ${response.status}`);
  return new Float32Array(await response.arrayBuffer());
}

/** What WebGPU runs on. */
export async function adapter() {
  const { info } = (await navigator.gpu?.requestAdapter()) ?? {};
  return info ? [info.description, info.vendor, info.architecture].filter(Boolean).join(', ') : 'no WebGPU adapter';
}
