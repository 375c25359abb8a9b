/** The words of the console: what a heading says, what it means, and what Exchange Online calls it. */
export interface Word {
  readonly title: string
  readonly meaning: string
  readonly exchange?: string
}

/** The catalogue. Each heading is one of these, and links to its line in the glossary. */
export const WORDS = {
  overview: {
    title: 'Overview',
    meaning: 'What goes on at the relay now, and what people have changed in the last 24 hours.',
  },
  restricted: {
    title: 'Restricted tenants and blocked connectors',
    meaning:
      'Mail of a restricted tenant is refused with 550 5.7.750, unless it comes from one of its accepted domains. A blocked connector relays nothing.',
    exchange: 'Restricted entities',
  },
} as const satisfies Readonly<Record<string, Word>>

export type WordName = keyof typeof WORDS
