"""The gates channel: takes the scheduling gate `stowplan.dev/plan` away once a plan covers the pod, and always within a bound."""
