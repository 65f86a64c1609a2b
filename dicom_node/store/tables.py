"""The node's tables: what came in, what was found, what was made of it, and where it has to go.

Times are seconds since the epoch (UTC), floating point. No table holds patient data; names of files are relative.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

#: Raised with every change of a table, together with a step in `database.py` that makes it of the one before.
SCHEMA_VERSION = 1

metadata = MetaData()

schema = Table("node_schema", metadata, Column("version", Integer, primary_key=True))

studies = Table(
    "studies",
    metadata,
    Column("study_uid", Text, primary_key=True),
    Column("revision", Integer, nullable=False),  # how many images to analyse have come
    Column("completed_revision", Integer, nullable=False, default=0),
    Column("queued_revision", Integer, nullable=False, default=0),  # that a workflow exists for
    Column("run", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),  # encodings begun since the last image
    Column("deaths", Integer, nullable=False, default=0),  # of the model process while it had the study
    Column("state", Text, nullable=False, default="open"),  # open, complete, set_aside, cancelled, expired
    Column("reason", Text),
    Column("sender", Text, nullable=False),  # calling AE title of its last image
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("completed_at", Float),
)
Index("studies_state", studies.c.state)

instances = Table(
    "instances",
    metadata,
    Column("key", Text, primary_key=True),
    Column("study_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("digest", Text, nullable=False),  # cxr_core.digest, of the encoded data set
    Column("study_revision", Integer, nullable=False),  # that this image made; 0 of one that is not analysed
    Column("sender", Text, nullable=False),
    Column("received_at", Float, nullable=False),  # for the first time; a copy that comes again changes nothing
    Column("file", Text),  # in objects/; None when retention has deleted it
    Column("bytes", Integer, nullable=False),
    # waiting, queued, answered, set_aside, cancelled; own, ignored: stored only; expired
    Column("state", Text, nullable=False),
    Column("run", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),  # times that the model process was given it
    Column("deaths", Integer, nullable=False, default=0),  # of the model process while it had the image
    Column("answer", Text),  # JSON, see cxr_core/result_json.py
    Column("reason", Text),
)
Index("instances_state", instances.c.state)
Index("instances_study", instances.c.study_uid)
Index("instances_uid", instances.c.sop_instance_uid)

results = Table(
    "results",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("sop_class_uid", Text, nullable=False),
    Column("series_instance_uid", Text, nullable=False),
    Column("instance_number", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # sr, sc, gsps
    Column("study_uid", Text, nullable=False),
    Column("revision", Integer, nullable=False),  # of the study, that it was made for first
    Column("file", Text),  # in encoded/; None when retention has deleted it
    Column("bytes", Integer, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 of the file
    Column("made_at", Float, nullable=False),
)
Index("results_study", results.c.study_uid)

deliveries = Table(
    "deliveries",
    metadata,
    Column("result_uid", Text, ForeignKey("results.sop_instance_uid", ondelete="CASCADE"), nullable=False),
    Column("destination", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("peer", Text, nullable=False),  # AE title, of a destination "sender"; else empty
    # waiting, sending (in a batch), in_flight (the request may have left), delivered, gave_up, cancelled
    Column("state", Text, nullable=False),
    Column("unknown", Boolean, nullable=False, default=False),  # an earlier attempt may have arrived
    Column("unreachable", Boolean, nullable=False, default=False),  # the last attempt did not get through
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False),
    Column("failing_since", Float),
    Column("batch", Text),  # workflow id
    Column("note", Text),  # what the last attempt ended in
    Column("delivered_at", Float),
    Column("committed", Text),  # None, or of a commitment: wanted, requested, yes, no
    PrimaryKeyConstraint("result_uid", "destination"),
)
Index("deliveries_state", deliveries.c.state, deliveries.c.due_at)
Index("deliveries_committed", deliveries.c.committed)
Index("deliveries_study", deliveries.c.study_uid)

#: Storage commitment that we ask a peer for: for what we sent there, or for what a sender wants a promise of.
commitments = Table(
    "commitments",
    metadata,
    Column("transaction_uid", Text, primary_key=True),  # ours, with the peer
    Column("peer", Text, nullable=False),  # AE title of the one that is asked
    Column("destination", Text),  # whose deliveries are asked for; None for a sender's request
    Column("requester", Text),  # AE title of the sender
    Column("requester_transaction_uid", Text),
    Column("instances", Text, nullable=False),  # JSON: [[SOP class, SOP instance], ...]
    # waiting, asking, asked; then answered, told; or over
    Column("state", Text, nullable=False),
    Column("run", Integer, nullable=False, default=0),
    Column("outcome", Text),  # JSON: {SOP instance: Failure Reason, 0 where it is committed}
    Column("attempts", Integer, nullable=False, default=0),
    Column("due_at", Float, nullable=False),
    Column("ends_at", Float, nullable=False),  # then what has no answer is not committed
    Column("note", Text),
)
Index("commitments_state", commitments.c.state)
