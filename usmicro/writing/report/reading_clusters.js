// Clusters of the foci that are shown: those of the run without the members that are hidden.

import { LABELS, data, hasValue } from "./dom.js";
import { FOCI_COLUMNS } from "./gallery.js";

const CLUSTER = Object.fromEntries(data.columns.clusters.map((name, index) => [name, index]));

/**
 * Return tables with the clusters of their foci.
 *
 * Foci are linked as in a run: those of one cluster of the run that are no further apart than the
 * setting allows. Without pixel spacing this distance is unknown, and the members stay together.
 */
export function regrouped(tables, image) {
  const members = new Map();
  tables.foci.forEach((row, index) => {
    const number = row[FOCI_COLUMNS.cluster];
    if (hasValue(number)) members.set(number, [...(members.get(number) ?? []), index]);
  });
  const groups = [...members.values()]
    .flatMap((indices) => linkedGroups(indices, tables.foci, image))
    .filter((indices) => indices.length >= data.clusters.size)
    .map((indices) => ({ indices, x: meanOf(indices.map((i) => tables.foci[i][FOCI_COLUMNS.x_px])),
      y: meanOf(indices.map((i) => tables.foci[i][FOCI_COLUMNS.y_px])) }));
  groups.sort((one, other) => one.x - other.x || one.y - other.y);
  const numbers = new Map(groups.flatMap(({ indices }, order) =>
    indices.map((index) => [index, order + 1])));
  const foci = tables.foci.map((row, index) => {
    const number = numbers.get(index) ?? null;
    if (row[FOCI_COLUMNS.cluster] === number) return row;
    return Object.assign([...row], { [FOCI_COLUMNS.cluster]: number });
  });
  const clusters = groups.map(({ indices, x, y }, order) =>
    clusterRow(order + 1, indices.map((index) => foci[index]), x, y));
  return { ...tables, foci, clusters };
}

/** Divide foci, given by their indices, into groups that are linked by short distances. */
function linkedGroups(indices, rows, { spacing_x_mm: sx, spacing_y_mm: sy }) {
  if (!hasValue(sx) || !hasValue(sy)) return [indices];
  const at = (index) => [rows[index][FOCI_COLUMNS.x_px] * sx, rows[index][FOCI_COLUMNS.y_px] * sy];
  const waiting = new Map(indices.map((index) => [index, at(index)])), groups = [];
  for (const first of indices) {
    if (!waiting.has(first)) continue;
    const group = [[first, waiting.get(first)]];
    waiting.delete(first);
    for (const [, [x, y]] of group) { // grows while it is read
      for (const [index, place] of waiting) {
        if (Math.hypot(place[0] - x, place[1] - y) > data.clusters.distance) continue;
        group.push([index, place]);
        waiting.delete(index);
      }
    }
    groups.push(group.map(([index]) => index));
  }
  return groups;
}

/** Return the row of a cluster of foci, as the run measures it. */
function clusterRow(number, foci, x, y) {
  const column = (name) => foci.map((row) => row[FOCI_COLUMNS[name]]);
  const depth = column("depth_mm"), lateral = column("x_mm"), diameter = column("diameter_mm");
  const values = {
    frame: column("frame")[0], // the first is the most confident
    cluster: number,
    foci: foci.length,
    x_px: x,
    y_px: y,
    x_mm: meanOf(lateral),
    depth_mm: meanOf(depth),
    width_mm: extentOf(lateral, diameter),
    height_mm: extentOf(depth, diameter),
    label: commonLabel(foci),
  };
  const row = [];
  for (const [name, index] of Object.entries(CLUSTER)) row[index] = values[name] ?? null;
  return row;
}

/** Return the mean; null if a value is unknown. */
function meanOf(values) {
  return values.every(hasValue) ? values.reduce((sum, value) => sum + value, 0) / values.length
    : null;
}

/** Return the distance from the first edge to the last; null if a value is unknown. */
function extentOf(centres, diameters) {
  if (![...centres, ...diameters].every(hasValue)) return null;
  return Math.max(...centres.map((centre, index) => centre + diameters[index] / 2))
    - Math.min(...centres.map((centre, index) => centre - diameters[index] / 2));
}

/** Return the most frequent label; of equally frequent ones that with the highest confidences. */
function commonLabel(foci) {
  const weight = (label) => foci.filter((row) => row[FOCI_COLUMNS.label] === label)
    .reduce(([size, sum], row) => [size + 1, sum + row[FOCI_COLUMNS.label_confidence]], [0, 0]);
  return Object.keys(LABELS).reduce((best, label) => {
    const [size, sum] = weight(label), [most, highestSum] = weight(best);
    return size > most || (size === most && sum > highestSum) ? label : best;
  });
}
