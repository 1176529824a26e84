"""Nothing lost: scenarios replayed with one fault at one boundary each, and judged from outside.

A proxy between the operator and each server records the boundaries of a scenario: its writes, its LISTs and the events
of its watches. A plan has one run for each boundary and each fault that concerns it. A run replays the scenario,
injects the fault at the boundary, and lets the oracle judge what is left. The operator is a process of its own, which
is killed with SIGKILL and started again, as a Deployment does. Some scenarios have two processes, of which one leads.

    boundaries, faults                   what can be disturbed, and how
    traffic, proxy, list_, watch_proxy   requests between the operator and the servers
    injection, answers                   one fault at one boundary
    zygote, operator_process, servers    the operator as a process
    admin, stage, platforms, scenarios   what users and platforms do
    snapshot, oracle, evidence           the invariants, from outside
    environment, run                     what many runs share, and one run
    plan, journal, campaign, worker      which runs there are, which are done, and all of them
    report, __main__                     the page that a campaign ends in, and its command line
"""
