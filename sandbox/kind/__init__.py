"""A real kind cluster with stowplan running in it as pods, and KWOK playing as many nodes as one likes beside its own."""
