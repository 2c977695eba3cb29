// The known name that is most like a misspelt one, for "did you mean" hints.

/** Number of single-character edits between two words. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replace = previous[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1);
      current[column] = Math.min(replace, previous[column] + 1, current[column - 1] + 1);
    }
    previous = current;
  }
  return previous[b.length];
}

/** Returns the candidate nearest to `name`, or null when none is near. Ties go to the first. */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  // A third of the letters may be wrong; a wrong case counts half an edit.
  let bestDistance = Math.max(2, name.length / 3) + 0.75;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const folded = editDistance(name.toLowerCase(), candidate.toLowerCase());
    const distance = folded + (editDistance(name, candidate) > folded ? 0.5 : 0);
    if (distance < bestDistance && distance < Math.max(name.length, candidate.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
