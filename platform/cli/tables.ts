// Joins the tables of devices, buses and guests: one of the few places that know them all.
import { buses } from '../../buses/index.ts';
import { devices } from '../../devices/index.ts';
import { drivers, workloads } from '../../guests/index.ts';
import type { ModelTables } from '../contracts/index.ts';

export const tables: ModelTables = { buses, devices, drivers, workloads };
