// The rules of virtio 1.4, chapters 2, 3 and 6, for rings, features and the life of a device, and those for regions of
// shared memory, the device that has one, and zoned disks, in own words.
// They hold whatever carries the device. Same form as in clauses.ts, but for the section in place of
// revisions: id | who | level | section | text

export const VIRTIO_RULES = `
# Device status
DST-1 | driver | MUST | 2.1.1 | Status bits are set one after another, as the steps of the initialisation
  are done.
DST-2 | driver | MUST NOT | 2.1.1 | A bit of the status is cleared, other than by a reset.
DST-3 | driver | MUST | 2.1.1 | After FAILED the device is reset before anything else is tried.
DST-4 | driver | SHOULD NOT | 2.1.1 | With DEVICE_NEEDS_RESET, requests under way are taken to be done or
  not done.
DST-5 | device | MUST NOT | 2.1.2 | Before DRIVER_OK buffers are consumed or notifications sent.
DST-6 | device | SHOULD | 2.1.2 | An error that takes a reset is shown by DEVICE_NEEDS_RESET.
DST-7 | device | MUST | 2.1.2 | If DRIVER_OK is set, DEVICE_NEEDS_RESET is followed by a notification of a
  configuration change.

# Feature bits
DFB-1 | driver | MUST NOT | 2.2.1 | A feature is accepted that was not offered.
DFB-2 | driver | MUST NOT | 2.2.1 | A feature is accepted without one that it needs.
DFB-3 | driver | MUST NOT | 2.2.1 | A feature is accepted that is reserved, or not known of this kind of
  device.
DFB-4 | driver | MUST | 2.2.1 | A device that lacks what the driver needs gets FAILED, and no more.
DFB-5 | driver | MUST NOT | 2.2.1 | A device is given up because it offers something unknown.
DFB-6 | device | MUST NOT | 2.2.2 | A feature is offered without one that it needs.
DFB-7 | device | SHOULD | 2.2.2 | Any valid subset of what is offered is accepted.
DFB-8 | device | MUST | 2.2.2 | FEATURES_OK does not stick for any other set.
DFB-9 | device | MUST NOT | 2.2.2 | A feature is offered that would not be supported.
DFB-10 | device | SHOULD NOT | 2.2.2 | A set that was accepted once is refused after a reset.

# Reset
DRT-1 | device | MUST | 2.4.1 | The status is 0 after a reset.
DRT-2 | device | MUST NOT | 2.4.1 | Once it shows 0, it notifies anybody or touches a queue before it is
  brought up again.
DRT-3 | driver | SHOULD | 2.4.2 | A reset is over when the status reads 0.

# Configuration space
DCS-1 | driver | MUST NOT | 2.5.1 | Several fields, or one of more than 32 bits, are taken to be read at once:
  the generation tells.
DCS-2 | driver | MUST | 2.5.1 | A field of an optional feature is read only if the feature is offered.
DCS-3 | driver | MUST NOT | 2.5.1 | A larger space than is needed is refused.
DCS-4 | device | MUST | 2.5.2 | Fields can be read before FEATURES_OK, those of all offered features too.

# Queue reset
QRS-1 | device | MUST NOT | 2.6.1.1.1 | Requests of a queue that was reset are executed, or notified of.
QRS-2 | device | MUST | 2.6.1.1.1 | Nothing of the queue's state is left.
QRS-3 | driver | MUST | 2.6.1.1.2 | It is verified that the queue was reset.
QRS-4 | device | MUST | 2.6.1.2.1 | A queue that is enabled again is used as it is set up now.
QRS-5 | driver | MUST | 2.6.1.2.2 | It is set up as at first.

# Split rings
SPR-1 | driver | MUST | 2.7.1 | Each part is aligned.
SPR-2 | device | MUST NOT | 2.7.4.1 | Anything rests on how a request is cut into descriptors.
SPR-3 | driver | MUST | 2.7.4.2 | Parts that the device writes come after those that it reads.
SPR-4 | device | MUST NOT | 2.7.5.1 | A readable buffer or a descriptor is written.
SPR-5 | driver | MUST NOT | 2.7.5.2 | Chains have loops.
SPR-6 | driver | MUST | 2.7.5.2 | With IN_ORDER, chains use the table from its start to its end, again and
  again.
SPR-7 | driver | MUST NOT | 2.7.5.3.1 | The INDIRECT flag is set unless INDIRECT_DESC was negotiated.
SPR-8 | driver | MUST NOT | 2.7.5.3.1 | INDIRECT is set in a table, or with NEXT.
SPR-9 | driver | MUST NOT | 2.7.5.3.1 | A chain is longer than the queue is large.
SPR-10 | driver | MUST | 2.7.5.3.1 | With IN_ORDER, a table is linked in its order.
SPR-11 | device | MUST | 2.7.5.3.2 | The WRITE flag of a descriptor that refers to a table is ignored.
SPR-12 | device | MUST | 2.7.5.3.2 | Descriptors may come before the one that refers to a table.
SPR-13 | driver | MUST NOT | 2.7.6.1 | The available index goes back.
SPR-14 | driver | MUST | 2.7.7.1 | The flags of the available ring are 0 or 1, with EVENT_IDX 0.
SPR-15 | driver | MUST | 2.7.7.1 | Notifications without a cause do no harm.
SPR-16 | device | MUST | 2.7.7.2 | Without EVENT_IDX a used buffer is notified if the flags are 0, whatever
  used_event says.
SPR-17 | device | MUST | 2.7.7.2 | With EVENT_IDX it is notified if its index is used_event, whatever the
  flags say.
SPR-18 | device | MUST | 2.7.8.2 | Data and length are written before the used index.
SPR-19 | driver | MUST NOT | 2.7.8.3 | Anything rests on bytes beyond the used length.
SPR-20 | driver | MUST | 2.7.10.1 | The flags of the used ring begin as 0.
SPR-21 | driver | MUST | 2.7.10.1 | Without EVENT_IDX a new buffer is notified if the flags are 0, whatever
  avail_event says.
SPR-22 | driver | MUST | 2.7.10.1 | With EVENT_IDX it is notified if its index is avail_event, whatever the
  flags say.
SPR-23 | device | MUST | 2.7.10.2 | The flags of the used ring are 0 or 1, with EVENT_IDX 0.
SPR-24 | device | MUST | 2.7.10.2 | Notifications without a cause do no harm.
SPR-25 | driver | MUST | 2.7.13.3.1 | Descriptors and entry are written before the available index.
SPR-26 | device | SHOULD NOT | 2.7.7.2 | A notification is sent that flags or used_event do not ask for.
SPR-27 | driver | SHOULD NOT | 2.7.10.1 | A notification is sent that flags or avail_event do not ask for.
SPR-28 | device | SHOULD NOT | 2.7.5.1 | A writable buffer is read.
SPR-29 | device | MUST | 2.7.8.2 | Of the writable buffer at least as many bytes are written, from its first on, as the
  used length says.
SPR-30 | driver | MUST | 2.7.13.4.1 | Flags and avail_event are read after the available index is written.

# Packed rings
PKR-1 | driver | MUST | 2.8.11 | Each part is aligned.
PKR-2 | device | MUST | 2.8.12 | Descriptors are taken up in the order of the ring.
PKR-3 | device | MUST | 2.8.12 | Used descriptors are written in the order in which requests end.
PKR-4 | device | MUST NOT | 2.8.15 | A readable buffer is written.
PKR-5 | device | MUST NOT | 2.8.15 | A descriptor is used whose AVAIL bit has not changed.
PKR-6 | driver | MUST NOT | 2.8.16 | A descriptor is changed before its USED bit has.
PKR-7 | driver | MUST | 2.8.16 | A notification has place and wrap counter of the next descriptor.
PKR-8 | driver | MUST NOT | 2.8.17 | A list is longer than the queue is large.
PKR-9 | driver | MUST | 2.8.17 | Parts that the device writes come after those that it reads.
PKR-10 | driver | MUST NOT | 2.8.17 | The first descriptor of a list is made available before the others.
PKR-11 | device | MUST | 2.8.18 | The descriptors of a list are used in their order.
PKR-12 | driver | MUST NOT | 2.8.19 | INDIRECT is set unless negotiated or in a list, or a table has flags
  but WRITE.
PKR-13 | device | MUST NOT | 2.8.15 | A descriptor is changed after its USED bit has been.
PKR-14 | driver | MUST NOT | 2.8.16 | A descriptor is changed after its AVAIL bit has been.
PKR-15 | driver | MUST | 2.8.17 | The ring has room for a whole list before its first descriptor is made available.
PKR-16 | driver | MUST | 2.8.21.1.1 | A descriptor is written before its flags.
PKR-17 | driver | MUST | 2.8.21.3.1 | Event suppression is read after the flags are written.

# Regions of shared memory, and persistent memory
SMR-1 | device | MUST NOT | 2.10.2 | A region controls the device.
SMR-2 | device | MUST | 4.1.4.7.1 | A region lies within the BAR that its capability names.
SMR-3 | device | MUST | 4.1.4.7.1 | The ids of a device's capabilities for regions differ.
PMD-1 | device | MUST | 5.19.5.1 | With SHMEM_REGION the memory is the region of id 0.
PMD-2 | device | SHOULD | 5.19.5.1 | With SHMEM_REGION, start and size are 0.
PMD-3 | device | MUST | 5.19.5.1 | Without SHMEM_REGION, start and size tell of physical addresses.
PMD-4 | driver | MUST | 5.19.5.2 | With SHMEM_REGION the region of id 0 is asked for, and start and size are
  left alone.
PMD-5 | driver | MUST | 5.19.5.2 | Without SHMEM_REGION, start and size are read.
PMD-6 | device | MUST | 5.19.7.1 | Writes completed before a flush survive resets and failures of the power once
  it is completed.
PMD-7 | device | MUST | 5.19.7.3 | A flush returns 0, whatever fails returns -1.

# Initialisation and cleanup
DIN-1 | driver | MUST | 3.1.1 | A device is brought up by these steps, in this order.
DIN-2 | driver | MUST NOT | 3.1.1 | The configuration is written before FEATURES_OK.
DIN-3 | driver | MUST NOT | 3.1.1 | Features are accepted after FEATURES_OK.
DIN-4 | driver | MUST NOT | 3.1.1 | The initialisation goes on after a step that went wrong.
DIN-5 | driver | MUST NOT | 3.1.1 | The device is notified before DRIVER_OK.
DIN-6 | driver | MUST | 3.1.1 | The status is read again to see whether FEATURES_OK has stuck.
DCL-1 | driver | MUST NOT | 3.3.1 | Buffers of a live queue that the device has not used are taken back.

# Suspending a device
DSU-1 | driver | SHOULD NOT | 3.4.1 | SUSPEND is set without DRIVER_OK, or unless the feature was negotiated.
DSU-2 | driver | MUST | 3.4.1 | The status is read again until SUSPEND is set and DRIVER_OK is not.
DSU-3 | driver | MUST NOT | 3.4.1 | Buffers are made available from SUSPEND on.
DSU-4 | driver | MUST NOT | 3.4.1 | Queues are notified from SUSPEND on.
DSU-5 | driver | MUST NOT | 3.4.1 | The configuration is written from SUSPEND on.
DSU-6 | driver | MUST | 3.4.1 | After DRIVER_OK nothing is done before SUSPEND is clear and DRIVER_OK set.
DSU-7 | device | MUST | 3.4.2 | SUSPEND is ignored before the device is live.
DSU-8 | device | SHOULD | 3.4.2 | While suspended, writes to the configuration are ignored.
DSU-9 | device | MUST NOT | 3.4.2 | While suspended, a queue is touched or notified of, or the configuration
  changes.
DSU-10 | device | MUST | 3.4.2 | Changes that fall into that time are told when the device goes on, not before.
DSU-11 | device | MUST | 3.4.2 | SUSPEND ends in a suspended device, or in DEVICE_NEEDS_RESET.
DSU-12 | device | MUST | 3.4.2 | DRIVER_OK ends in a device that goes on, or in DEVICE_NEEDS_RESET.
DSU-13 | device | SHOULD | 3.4.2 | Before the status shows it, no more buffers are taken, those being processed
  are used, and the driver is notified.

# Reserved feature bits
RFB-1 | driver | MUST | 6.1 | VERSION_1 is accepted.
RFB-2 | device | MUST | 6.2 | VERSION_1 is offered.
RFB-3 | driver | SHOULD | 6.1 | ACCESS_PLATFORM is accepted, and addresses are those of the bus.
RFB-4 | driver | SHOULD | 6.1 | RING_PACKED is accepted.
RFB-5 | driver | SHOULD | 6.1 | ORDER_PLATFORM is accepted.
RFB-6 | device | MUST | 6.2 | With IN_ORDER, buffers are used in the order in which they came.
RFB-7 | device | SHOULD | 6.2 | ACCESS_PLATFORM is offered where memory is reached by other than its own
  addresses.
RFB-8 | device | MUST NOT | 6.2 | SR_IOV is offered by what has no such capability.
RFB-9 | driver | SHOULD | 6.1 | NOTIF_CONFIG_DATA is accepted.

# Zoned disks
ZBD-1 | device | MUST | 5.2.5.2 | Host-managed, it does not let FEATURES_OK stick without ZONED.
ZBD-2 | device | MUST | 5.2.5.2 | Size of zones, limits, largest append, granularity and model are in the
  configuration; padding is 0.
ZBD-3 | device | MUST | 5.2.6.2 | Without ZONED, requests for zones are not supported.
ZBD-4 | device | MUST | 5.2.6.2 | A write elsewhere than at the pointer, or not to a multiple of the
  granularity, ends as not aligned.
ZBD-5 | device | MUST | 5.2.6.2 | A range that is more than is left, or in more than one zone, is invalid.
ZBD-6 | device | MUST | 5.2.6.2 | A successful append tells the first sector of its data.
ZBD-7 | device | MUST | 5.2.6.2 | An append to no sequential zone, not to its first sector, or larger than
  appends may be is invalid; where there are none, it is not supported.
ZBD-8 | device | MUST | 5.2.6.2 | Sectors from the pointer on are unwritten.
ZBD-9 | device | MUST | 5.2.6.2 | A request for a step that a zone cannot take is invalid, and changes nothing.
ZBD-10 | device | MUST | 5.2.6.2 | OPEN, CLOSE, FINISH and RESET of a conventional zone are invalid.
ZBD-11 | device | MUST | 5.2.6.2 | RESET_ALL makes all sequential zones empty.
ZBD-12 | device | MUST | 5.2.6 | What would take too many active zones ends so, even if it would take too
  many open ones as well.
ZBD-13 | device | MUST | 5.2.6 | What would take too many open zones ends so, unless the disk closes one.
`;
