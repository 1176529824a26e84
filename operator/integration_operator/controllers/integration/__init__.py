"""From a change in a store to writes and conditions: work queue, controller, guards."""
