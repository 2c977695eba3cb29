// Why rules have no test yet: what they are about does not exist here. clauses.test.ts sees to it that
// every open rule is listed, and none that a test claims.

export const OPEN_RULES: Readonly<Record<string, string>> = {
  'PAR-5': 'no bus here changes its parameters while it runs',
  'PAR-9': 'says nothing of its own: it is the sum of the rules of earlier revisions',
  'PAR-12': 'a bus cannot tell ids beyond the revision without judging them, which ERR-4 forbids',
  'NUM-2': 'no bus here gives out numbers: the scenario does',
  'CNF-1': 'nothing here claims conformance',
  'PMD-3': 'memory here is a region, and a driver without SHMEM_REGION is refused',
  'PMD-5': 'the driver here gives up on a device without SHMEM_REGION',
};
