// From pixels to places: lon/lat from a coarse grid, coordinates of the CRS from the affine, scale bar, north.

/** The index of the interval of increasing `knots` that holds `value`, and the share of it passed. */
function interval(knots, value) {
  let at = 0;
  while (at < knots.length - 2 && value >= knots[at + 1]) at += 1;
  return [at, (value - knots[at]) / (knots[at + 1] - knots[at])];
}

/** Longitude and latitude at (row, column), edges counted from 0, bilinear in the manifest's 5 x 5 grid. */
export function lonLat({ rows, columns, lon, lat }, row, column) {
  const [i, down] = interval(rows, row);
  const [j, right] = interval(columns, column);
  const mix = (grid) => {
    const upper = grid[i][j] * (1 - right) + grid[i][j + 1] * right;
    const lower = grid[i + 1][j] * (1 - right) + grid[i + 1][j + 1] * right;
    return upper * (1 - down) + lower * down;
  };
  return [mix(lon), mix(lat)];
}

/** x and y of the CRS at (row, column), edges counted from 0. affine: [a, b, c, d, e, f], as rasterio prints it. */
export function gridPoint([a, b, c, d, e, f], row, column) {
  return [a * column + b * row + c, d * column + e * row + f];
}

/** A round length in metres whose bar is at most `room` screen pixels long: {metres, width}. */
export function scaleBar(metresPerPixel, room = 120) {
  const most = metresPerPixel * room;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = [5, 2, 1].find((step) => step * power <= most) * power;
  return { metres, width: metres / metresPerPixel };
}
