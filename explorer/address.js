/**
 * What is shown stands in the address, so that a link shows the same to others:
 * #/organism/NAME/run/KEY/L3/P1
 */
export function read() {
  const [, organism, run, layer, position] =
    /^#\/organism\/([^/]+)(?:\/run\/([0-9a-f]+)(?:\/L(\d+)\/P(\d+))?)?$/.exec(location.hash) ?? [];
  return {
    organism: organism === undefined ? undefined : decodeURIComponent(organism),
    run,
    layer: layer === undefined ? undefined : Number(layer),
    position: position === undefined ? undefined : Number(position),
  };
}

export const link = ({ organism, run, layer, position }) =>
  `#/organism/${encodeURIComponent(organism)}` +
  (run === undefined ? '' : `/run/${run}`) +
  (layer === undefined ? '' : `/L${layer}/P${position}`);
