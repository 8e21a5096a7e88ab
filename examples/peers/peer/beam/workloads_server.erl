%% The gen_server that is called and supervised.
-module(workloads_server).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

init({child, I, Up} = S) -> Up ! {up, I, self()}, {ok, S};
init({worker, _, Up, _, _} = S) ->
    process_flag(trap_exit, true),
    counters:add(Up, 1, 1),
    {ok, S};
init(none) -> {ok, none}.

handle_call(Request, _, S) -> {reply, Request, S}.

handle_cast(crash, S) -> {stop, crash, S}.

handle_info({probe, From}, S) -> From ! probed, {noreply, S}.

terminate(_, {worker, I, _, Ended, Order}) -> atomics:put(Order, atomics:add_get(Ended, 1, 1), I);
terminate(_, _) -> ok.
