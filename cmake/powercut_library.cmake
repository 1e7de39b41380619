# A library of this project: powercut_library(<name> FOLDER <folder> SOURCES … HEADERS … LINK …).
#
# Headers are included as "folder/file.h". A target sees the headers of its own folder and of those it links to, and no
# others: each has an include directory of its own that holds nothing but links to its headers. So an include against the
# direction of the layers does not compile.

add_library(powercut_warnings INTERFACE)
target_compile_options(powercut_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # With sanitizers g++ 12 takes members of std::function and std::optional for uninitialised; its manual warns of that.
  target_compile_options(powercut_warnings INTERFACE -Wno-maybe-uninitialized)
endif()

function(powercut_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "SOURCES;HEADERS;LINK")
  set(include_directory ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${include_directory}/${arg_FOLDER})
  foreach(header IN LISTS arg_HEADERS)
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${header} ${include_directory}/${arg_FOLDER}/${header} SYMBOLIC)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/powercut/${arg_FOLDER})
  endforeach()

  add_library(powercut_${name} STATIC ${arg_SOURCES})
  add_library(powercut::${name} ALIAS powercut_${name})
  set_target_properties(powercut_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(powercut_${name} PUBLIC $<BUILD_INTERFACE:${include_directory}>
                                                     $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/powercut>)
  target_compile_features(powercut_${name} PUBLIC cxx_std_20)
  target_link_libraries(powercut_${name} PUBLIC ${arg_LINK} PRIVATE $<BUILD_INTERFACE:powercut_warnings>)
  install(TARGETS powercut_${name} EXPORT powercut-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()
