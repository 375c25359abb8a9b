import type { Cell as Told } from '../../cli/kit/output'
import { state, type Cell } from './parts'

/** What a command prints in a cell, for a page. */
export function told(cell: Told): Cell {
  if (typeof cell === 'string') return cell
  const { text, tone } = cell
  return tone && tone !== 'faint' ? state(text, tone) : text
}
