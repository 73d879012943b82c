"""The names that no product code uses but something else does: vulture takes them for used. Each group says who uses them."""

# An entry point that the bench publishes; those of pyproject.toml need no line here.
FETCH

# What authors of stages write against: one contract for each type of stage.
ChunkStage
DownloadStage
EmbedStage
ExtractStage
IndexStage
IngestStage
KGStage
ParseStage

# The modes of the screen, which tui/modes.py loads by their names when they are first seen.
GateScreen
GraphScreen
JobsScreen
LabScreen
LogsScreen
PipelinesScreen
ReplayScreen
SQLScreen
SearchScreen

# What consumers of the events topic read: the shape of a CloudEvent's data, which a test holds against every event.
CloudEventData
_.duration_ms
_.output_count

# Fields that are written or read as a whole: as JSON, by `getattr`, or for the tests and the reader of a record.
_.bm25
_.jobs_in_memory
_.openings
_.pdf_downloaded
_.projections
_.ring_start
_.silent_seconds
_.sparse_chunks
_.text_chunks
_.text_revision
_.vector_chunks
_.vector_revision
_.vectors_off

# asyncio keeps no task alive: something must refer to it.
_._playing

# argparse, io, pickle, zipfile, reportlab.
_._print_message
_.create_system
_.find_class
_.keepWithNext
_.readinto

# cloudevents, httpcore, httpx, onnxruntime, pybreaker.
cb
_.connect_unix_socket
_.handle_request
_.increment_counter
_.increment_success_counter
_.inter_op_num_threads
_.intra_op_num_threads
_.log_severity_level
_.read_data
_.reset_counter
_.reset_success_counter
_.state_change
_.success_counter

# Dagster's storages, launcher, workspace and daemon, by dagster.yaml or by its base classes.
LabEventLogStorage
LabRunStorage
LedgerRunLauncher
StepLogs
_.check_run_worker_health
_.config_type
_.get_log_data_for_type
_.core_loop
_.create_request_context
_.end_watch
_.from_config_value
_.get_handlers
_.is_reload_supported
_.launch_run
_.reload_location
_.resume_run
_.store_event
_.store_event_batch
_.supports_check_run_worker_health
_.supports_resume_run

# Textual's class variables, attributes and methods, beyond those that pyproject.toml names by pattern.
focused_widget
viewport
_.AUTO_FOCUS
_.DEFAULT_MODE
_._fatal_error
_._must_signal_resume
_._on_resize
_._run_input_thread
_.animation_level
_.app_focus
_.bindings_changed
_.can_focus
_.can_replace
_.cursor_blink
_.cursor_position
_.discover
_.get_content_height
_.get_suggestion
_.get_theme_variable_defaults
_.indent_width
_.placeholder
_.send_message
_.suggester
_.update_help

# Printed by `status --json`.
_.silent_seconds
_.sparse_chunks
_.text_chunks
_.text_revision
_.vector_chunks
_.vector_revision
_.vectors_off

# Named in a type that is written as a string.
Generator
Pilot

# What the screen's tests wait for.
_.is_typing

# What Python, Starlette and Haystack look for by name: a module's attributes, an enumeration's members, a server's life, a store.
__getattr__
_._missing_
_._name_
_._value_
_.count_documents
_.delete_documents
_.document_ids
_.filter_documents
_.lifespan_context
_.write_documents
event_stream

# What the report's template and its script read, and the users of the Python API.
_.between_stages
_.ended_at
_.nodes_in_all
_.total_s
_.waited_s
_.waiting_for_a_person
_.width_s

# The kinds of what `medkg-lab new` makes, chosen by their values.
_.STAGE
# Fields of Kafka's answers: the codec reads them by the names that its schema has.
_.aborted_transactions
_.active_producers
_.api_keys
_.authorized_operations
_.broker_id
_.client_host
_.cluster_authorized_operations
_.config_resources
_.config_source
_.controller_id
_.coordinator_epoch
_.coordinators
_.credential_infos
_.documentation
_.filter_results
_.group_state
_.group_type
_.heartbeat_interval
_.is_fenced
_.is_future_key
_.is_sensitive
_.isr_nodes
_.last_stable_offset
_.leader_id
_.log_dir
_.log_start_offset
_.low_watermark
_.matching_acls
_.max_version
_.mechanisms
_.member_assignment
_.member_epoch
_.member_metadata
_.min_version
_.next_cursor
_.offset_lag
_.partition_id
_.partition_responses
_.partition_result
_.partition_size
_.protocol_data
_.record_errors
_.replica_election_results
_.replica_nodes
_.throttle_time
_.topic_authorized_operations
_.topic_id
_.transaction_start_time
_.transaction_state
_.transaction_states
_.transaction_timeout
_.unknown_state_filters
_.usable_bytes

# The report's page, a template.
_.quality
_.reciprocal_rank
_.success_at_1
_.success_at_5

# What the reports of measurements and evaluations, and traced chunks, are printed by: their fields.
_.better_leg
_.block_kind
_.encoding_ms_per_doc
_.events_written
_.expected_without_id
_.fdatasync_beside
_.file_ms
_.gain_over_better_leg
_.ms_per_batch_and_stage
_.offered_per_second
_.p95_gap_ms
_.pack_ms
_.pack_ms_per_document
_.queries_without_text
_.shown_after_ms
_.worst_gap_ms
_.worst_loop_gap_ms
