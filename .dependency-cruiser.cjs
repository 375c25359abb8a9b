// The rooms of the house and the arrows between them: a file imports from its own room and from rooms below it.
// docs/architecture.md says what each room is for. Types count: a circle of types is a circle of thoughts.

/** From top to bottom; rooms in one row do not know each other. */
const FLOORS = require('./scripts/rooms.json')

/** Packages that most processes never need: `src/base/on-demand.ts` loads them. */
const RARE =
  '^node_modules/(address-rfc2821|email-providers|mailauth|nodemailer/.*mail-composer|tldts)/'

/** A room, or a single file. A folder in a room is a room of its own. */
const inside = (room) => `^${room.replace(/[.]/g, '\\$&')}${room.endsWith('.ts') ? '' : '/[^/]+'}$`

const arrows = FLOORS.flatMap((floor, index) =>
  floor.map((room) => {
    const above = FLOORS.slice(0, index).flat()
    const beside = floor.filter((other) => other !== room)
    return {
      name: `${room}-knows-only-what-is-below`,
      severity: 'error',
      from: { path: inside(room) },
      to: { path: [...above, ...beside].map(inside) },
    }
  }),
).filter(({ to }) => to.path.length > 0)

module.exports = {
  forbidden: [
    ...arrows,
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'decision-is-pure',
      comment: 'What is decided follows from what is given: no Redis, no Haraka, no files.',
      severity: 'error',
      from: { path: '^src/decision/' },
      to: { path: '^src/store/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'decision-is-self-contained',
      severity: 'error',
      from: { path: '^src/decision/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'rare-packages-on-demand',
      comment: 'Each process of Haraka would hold them.',
      severity: 'error',
      from: {},
      to: { path: RARE, dependencyTypes: ['import', 'export'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'a-room-for-every-file',
      severity: 'error',
      from: { path: '^(src|plugins)/', pathNot: FLOORS.flat().map(inside) },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.d.ts', '.js'] },
  },
}
