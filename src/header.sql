\echo Use "CREATE EXTENSION workflow_track" to load this file. \quit

-- Bodies may name tables, which setup() makes later.
SET LOCAL check_function_bodies = off;
